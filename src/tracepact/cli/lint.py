"""`tracepact lint`: whether contracts are worth anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracepact.cli.targets import EvidenceOption, open_evidence
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from tracepact.bindings import Bindings
    from tracepact.evidence import Result
    from tracepact.lint.run import Report
    from tracepact.lint.settings import Settings

NAME: Final = "lint"
HELP: Final = """Hold contracts against rules: are they complete, tested, enforceable?

Exit code 0: no error. 1: errors, or with --strict warnings too. 2: bad call. Rules are chosen by
id, by the beginning of an id, or by the name of a gate; `[tool.tracepact.lint]` in pyproject.toml
may have `select`, `ignore`, `source`, `binding`, `baseline`, `strict`, `min-level`, `min-score` and
`min-coverage`. What ran and passed is read from .tracepact/evidence.json, where
`pytest --tracepact` leaves it.

Examples:

    tracepact lint contracts

    tracepact lint contracts --source src --source tests --binding binding.yaml

    tracepact lint contracts --source tests --min-score A --min-level standard

    tracepact lint contracts --fix

    tracepact lint contracts --format sarif --output baseline.sarif

    tracepact lint contracts --baseline baseline.sarif --diff origin/main
"""


class LintFormat(StrEnum):
    """How the report is written; each is a module of `tracepact.lint.outputs`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    MARKDOWN = "markdown"
    GITLAB = "gitlab"
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
    evidence: EvidenceOption = None,
    min_score: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE", help="Score or grade that contracts must reach.", show_default=False
        ),
    ] = None,
    min_level: Annotated[
        Level | None, typer.Option(help="Level that kernels must reach.", show_default=False)
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Only what differs from it in git.", show_default=False),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Earlier report (sarif or json), not counted again.", show_default=False),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Correct what is safe to correct.")] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print only what to write, as a diff.")
    ] = False,
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
    if suggest and (fix or format_ is not LintFormat.TEXT):
        raise ConfigError("--suggest prints a diff; leave out --fix and --format")
    from tracepact.lint.settings import read_score, read_settings

    settings = read_settings(Path.cwd())
    settings = replace(
        settings,
        select=listed(select) or settings.select,
        ignore=(*settings.ignore, *listed(ignore)),
        min_level=min_level or settings.min_level,
        sources=tuple(source or settings.sources),
        binding=binding or settings.binding,
        baseline=baseline or settings.baseline,
    )
    if min_score is not None:
        settings = replace(settings, min_score=read_score(min_score, "--min-score"))
    for path in settings.sources:
        if not path.exists():
            raise ConfigError(f"--source {path} does not exist; name a folder with sources")
    run = _linter(paths, settings, open_evidence(evidence), diff)
    report = _fixed(run) if fix else run()
    if suggest:
        from tracepact.lint.fixes import suggestions
        from tracepact.lint.outputs._base import summary

        write(suggestions(report), output)
        typer.echo(summary(report), err=True)
    else:
        write(_render(report, format_), output)
    if report.counts["error"] or ((strict or settings.strict) and report.counts["warning"]):
        raise typer.Exit(1)


def _linter(
    paths: list[Path], settings: Settings, evidence: tuple[Result, ...], diff: str | None
) -> Callable[[], Report]:
    """What lints the files as they then are; all that may be wrong with the call is found here."""
    from tracepact.cli.progress import shown
    from tracepact.lint.baseline import read_baseline
    from tracepact.lint.run import lint

    return partial(
        lint,
        paths,
        settings,
        bindings=_bindings(settings.binding),
        sources=settings.sources,
        evidence=evidence,
        min_level=settings.min_level,
        only=None if diff is None else _changed(diff, paths),
        baseline=None if settings.baseline is None else read_baseline(settings.baseline),
        track=partial(shown, what="linting"),
    )


def _fixed(run: Callable[[], Report]) -> Report:
    """The report of what is left; what was corrected is said on stderr."""
    from tracepact.lint.fixes import fix
    from tracepact.lint.source import printable, relative

    report, fixed = fix(run)
    for one in fixed:
        place = one.location
        where = f"{relative(place.file)}:{place.line}:{place.column or 1}"
        typer.echo(printable(f"{where}: fixed {one.rule.id} {one.message}"), err=True)
    return report


def _changed(diff: str, paths: list[Path]) -> frozenset[Path]:
    from tracepact.lint.changed import changed_files

    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path} does not exist; name contract files, or folders of them")
    folders = {path if path.is_dir() else path.absolute().parent for path in paths}
    return frozenset().union(*(changed_files(diff, folder) for folder in folders))


def listed(values: list[str] | None) -> tuple[str, ...]:
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


def write(text: str, output: Path | None) -> None:
    """Print a report, or write it to a file without colours."""
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(re.sub(r"\x1b\[[0-9;]*m", "", text), "utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"--output {output}: {error.strerror}; name a file in a folder that is there"
        ) from None
