"""`tracepact lint`: whether contracts are worth anything."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from tracepact.bindings import Bindings
    from tracepact.lint.run import Report

NAME: Final = "lint"
HELP: Final = """Hold contracts against rules: are they complete, tested, enforceable?

Exit code 0: no error. 1: errors, or with --strict warnings too. 2: bad call. Rules are chosen by
id, by the beginning of an id, or by the name of a gate; `[tool.tracepact.lint]` in pyproject.toml
may have `select`, `ignore` and `min-coverage`.

Examples:

    tracepact lint contracts

    tracepact lint contracts --source src --source tests --binding binding.yaml

    tracepact lint contracts --diff origin/main --format sarif --output lint.sarif
"""


class LintFormat(StrEnum):
    """How the report is written; each is a module of `tracepact.lint.outputs`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    MARKDOWN = "markdown"
    SARIF = "sarif"


class Level(StrEnum):
    """Levels of enforcement."""

    BASIC = "basic"
    STANDARD = "standard"
    STRICT = "strict"
    PROVEN = "proven"


def main(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Contract files and folders.", show_default=False),
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(help="Rules or gates to run.", show_default=False)
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Rules or gates to leave out.", show_default=False)
    ] = None,
    format_: Annotated[
        LintFormat, typer.Option("--format", help="What the report is for.")
    ] = LintFormat.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the report.", show_default=False),
    ] = None,
    binding: Annotated[
        Path | None, typer.Option(help="Binding file, for reverse coverage.", show_default=False)
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with functions or tests.", show_default=False),
    ] = None,
    min_level: Annotated[
        Level | None, typer.Option(help="Level that kernels must reach.", show_default=False)
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Only what differs from it in git.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Print the rules as Markdown.")] = False,
) -> None:
    """Lint, print, exit."""
    if rules:
        from tracepact.lint.catalogue import catalogue

        typer.echo(catalogue(), nl=False)
        return
    if not paths:
        raise ConfigError("nothing to lint; name contract files, or folders of them")
    from tracepact.lint.run import lint
    from tracepact.lint.settings import read_settings

    settings = read_settings(Path.cwd())
    settings = replace(
        settings,
        select=_listed(select) or settings.select,
        ignore=(*settings.ignore, *_listed(ignore)),
    )
    for path in source or ():
        if not path.exists():
            raise ConfigError(f"--source {path} does not exist; name a folder with sources")
    report = lint(
        paths,
        settings,
        bindings=_bindings(binding),
        sources=tuple(source or ()),
        min_level=min_level or "",
        only=None if diff is None else _changed(diff, paths),
    )
    _write(_render(report, format_), output)
    if report.counts["error"] or (strict and report.counts["warning"]):
        raise typer.Exit(1)


def _changed(diff: str, paths: list[Path]) -> frozenset[Path]:
    from tracepact.lint.changed import changed_files

    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path} does not exist; name contract files, or folders of them")
    folders = {path if path.is_dir() else path.absolute().parent for path in paths}
    return frozenset().union(*(changed_files(diff, folder) for folder in folders))


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """Rules of an option that may be given several times, or once with commas."""
    return tuple(
        name.strip() for value in values or () for name in value.split(",") if name.strip()
    )


def _bindings(path: Path | None) -> Bindings | None:
    if path is None:
        return None
    from tracepact.bindings import load_bindings

    if not path.is_file():
        raise ConfigError(f"--binding {path} does not exist; name a binding.yaml")
    return load_bindings(path)


def _render(report: Report, format_: LintFormat) -> str:
    import importlib

    module = importlib.import_module(f"tracepact.lint.outputs.{format_.value}")
    text: str = module.render(report)
    return text


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(re.sub(r"\x1b\[[0-9;]*m", "", text), "utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"--output {output}: {error.strerror}; name a file in a folder that is there"
        ) from None
