"""`tracepact`: the commands, and what their exit codes mean.

0: nothing found. 1: findings. 2: the call cannot be carried out as written.
"""

from __future__ import annotations

import sys
from typing import Final

import typer

from tracepact.cli import (
    bind,
    check,
    comply,
    coverage,
    diff,
    doctor,
    export,
    graph,
    lint,
    prove,
    query,
    run,
    scaffold,
    score,
    show,
)
from tracepact.errors import ContractViolation, TracepactError

EXIT_FINDINGS: Final = 1
EXIT_USAGE: Final = 2

app = typer.Typer(
    name="tracepact",
    help="Contract-aware tracing for numeric kernels and LLM inference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    run,
    check,
    lint,
    score,
    comply,
    prove,
    show,
    diff,
    graph,
    query,
    coverage,
    bind,
    doctor,
    export,
    scaffold,
):
    app.command(command.NAME, help=command.HELP)(command.main)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except ContractViolation as error:  # the policy is `raise`
        typer.echo(f"tracepact: {error}", err=True)
        sys.exit(EXIT_FINDINGS)
    except TracepactError as error:
        typer.echo(f"tracepact: {error}", err=True)
        sys.exit(EXIT_USAGE)
