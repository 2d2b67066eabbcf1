"""`tracepact comply`: whether a code base keeps its contracts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from tracepact.cli.lint import LintFormat, listed, write

NAME: Final = "comply"
HELP: Final = """Check whether a code base keeps its contracts: CB-1200 to CB-1211.

PROJECT is the folder that has the pyproject.toml; the current one by default. Its code is read,
never imported or run; what has to run (tests, proofs) counts as `pytest --tracepact` recorded it
in `.tracepact/evidence.json`. `[tool.tracepact.comply]` in pyproject.toml has `select`, `ignore`,
`contracts`, `sources`, `lint-fails` and the thresholds.

Exit code 0: no check failed. 1: one failed, or with --strict one warned. 2: bad call.

Examples:

    tracepact comply

    tracepact comply path/to/project --select CB-1203,CB-1208

    tracepact comply --format sarif --output comply.sarif
"""


def main(
    project: Annotated[
        Path, typer.Argument(metavar="PROJECT", help="Folder of the project.", show_default=False)
    ] = Path(),
    select: Annotated[
        list[str] | None, typer.Option(help="Checks to run.", show_default=False)
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Checks to leave out.", show_default=False)
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What ran, as pytest wrote it.", show_default=False),
    ] = None,
    format_: Annotated[
        LintFormat, typer.Option("--format", help="What the report is for.")
    ] = LintFormat.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the report.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    checks: Annotated[bool, typer.Option("--checks", help="Print the checks as Markdown.")] = False,
) -> None:
    """Check, print, exit."""
    import importlib

    if checks:
        from tracepact.comply.catalogue import catalogue

        typer.echo(catalogue(), nl=False)
        return
    from tracepact.comply.run import comply
    from tracepact.comply.settings import read_settings
    from tracepact.errors import ConfigError

    if evidence is not None and not evidence.is_file():
        raise ConfigError(f"--evidence {evidence} does not exist; run `pytest --tracepact` first")
    settings = read_settings(project)
    settings = replace(
        settings,
        select=listed(select) or settings.select,
        ignore=(*settings.ignore, *listed(ignore)),
    )
    report = comply(project, settings, evidence=evidence)
    is_text = format_ is LintFormat.TEXT
    name = "tracepact.comply.text" if is_text else f"tracepact.lint.outputs.{format_.value}"
    write(importlib.import_module(name).render(report), output)
    statuses = {result.status for result in report.gates}
    if "failed" in statuses or (strict and "warned" in statuses):
        raise typer.Exit(1)
