"""`tracepact scaffold`: a contract as a typed interface, and what begins an implementation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from tracepact.cli.options import ContractsOption, open_registry
from tracepact.errors import ConfigError

NAME: Final = "scaffold"
HELP: Final = """Write a contract as a Protocol that type checkers compare implementations to.

Beside it go a skeleton of an implementation and tests that fail until it is written. The Protocol
is written again whenever the contract changed; skeleton and tests are yours after the first time.

Clauses that nothing understands are named, here and in the Protocol.

With --check nothing is written. Exit code 0: the Protocol is current. 1: it is stale. 2: bad call.

Examples:

    tracepact scaffold softmax-kernel-v1 -o src/kernels --tests tests/kernels

    tracepact scaffold softmax-kernel-v1 -o src/kernels --check
"""


def main(
    contract: Annotated[str, typer.Argument(help="Stem of the contract.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the Protocol and the skeleton.")
    ] = Path(),
    tests: Annotated[
        Path | None,
        typer.Option(help="Folder of the tests; the same by default.", show_default=False),
    ] = None,
    protocol_only: Annotated[
        bool, typer.Option("--protocol-only", help="No skeleton and no tests.")
    ] = False,
    array: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Type of arrays, as in torch:Tensor; NumPy's by default.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is stale.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite what you wrote, skeleton and tests too.")
    ] = False,
    contracts: ContractsOption = None,
) -> None:
    """Derive, then write or compare."""
    from tracepact.bindings.model import stem_of
    from tracepact.codegen.scaffold import NUMPY_ARRAY, derive_interface, scaffold_files

    if check and force:
        raise ConfigError("--check writes nothing, so that --force has no meaning; drop one")
    stem = stem_of(contract)
    words = ["tracepact", "scaffold", stem, "-o", output.as_posix()]
    words += ["--array", array] if array is not None else []
    words += ["--contracts", contracts.as_posix()] if contracts is not None else []
    command = shlex.join([*words, "--protocol-only"])
    interface = derive_interface(open_registry(contracts), stem)
    protocol, *others = scaffold_files(
        interface,
        output,
        tests=tests,
        array=array or NUMPY_ARRAY,
        contracts=contracts,
        command=command,
    )
    for problem in interface.problems:
        typer.echo(f"not understood: {problem}", err=True)
    if not check:
        for file in [protocol] if protocol_only else [protocol, *others]:
            typer.echo(f"{file.write(force=force)}: {file.path}")
    elif reason := protocol.stale():
        typer.echo(f"stale: {protocol.path} {reason}; run: {command}")
        raise typer.Exit(1)
    else:
        typer.echo(f"current: {protocol.path}")
