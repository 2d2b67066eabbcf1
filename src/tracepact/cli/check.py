"""`tracepact check`: arrays from files against one equation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import (
    ContractsOption,
    Format,
    FormatOption,
    open_registry,
    print_json,
)
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from tracepact.violation import Violation

NAME: Final = "check"
HELP: Final = """Check arrays from files against the pre- and postconditions of one equation.

Exit code 0: every condition holds. 1: one does not, or could not be checked. 2: bad call.

Examples:

    tracepact check softmax-kernel-v1 softmax ret=probabilities.npy

    tracepact check rmsnorm-kernel-v1 rmsnorm x=x.npy weight=w.npy eps=1e-5 ret=y.npy
"""


def main(
    contract: Annotated[str, typer.Argument(help="Stem of the contract.", show_default=False)],
    equation: Annotated[str, typer.Argument(help="Name of the equation.", show_default=False)],
    fields: Annotated[
        list[str],
        typer.Argument(metavar="NAME=FILE.npy|NUMBER …", help="Its fields.", show_default=False),
    ],
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Read the fields, check, print."""
    from tracepact.tracing import ContractTracingLayer, Mode, Policy

    layer = ContractTracingLayer(open_registry(contracts), [], Policy(mode=Mode.LOG))
    site = layer.site(contract, equation, preconditions=True)
    found = site.examine(dict(_field(text) for text in fields))
    if layer.faults:
        raise ConfigError(f"the check failed: {', '.join(layer.faults)}")
    if format_ is Format.JSON:
        print_json(
            {
                "contract": contract,
                "equation": equation,
                "checks": layer.checks,
                "violations": [violation.to_dict() for violation in found],
            }
        )
    else:
        _print(found, [c.expression for c in site.conditions])
    if found:
        raise typer.Exit(1)


def _print(found: list[Violation], expressions: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    broken = {violation.expression: violation for violation in found}
    for expression in expressions:
        violation = broken.get(expression)
        if violation is None:
            console.print(Text.assemble(("holds     ", "green"), expression))
            continue
        word = "violated " if violation.verdict == "failed" else "unchecked"
        console.print(Text.assemble((f"{word} ", "bold red"), expression))
        console.print(Text(f"          {violation.obligation}: {violation.explanation}"))
        console.print(Text(f"          {violation.source}", style="dim"), soft_wrap=True)


def _field(text: str) -> tuple[str, Any]:
    """`name=number` or `name=file.npy`.

    Raises:
        ConfigError: Neither, or the file is not a plain NumPy array.
    """
    import numpy as np

    name, separator, value = text.partition("=")
    if not (separator and name and value):
        raise ConfigError(f"cannot read {text!r}; write NAME=FILE.npy or NAME=NUMBER")
    try:
        return name, float(value)
    except ValueError:
        pass
    path = Path(value)
    try:
        # Object arrays are pickles, which could run code; mapped, a large file is not copied.
        return name, np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(
            f"{name}: cannot read {path} ({error}); save the array with numpy.save"
        ) from None
