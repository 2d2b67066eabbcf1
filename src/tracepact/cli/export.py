"""`tracepact export`: a contract as a module of assertions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from tracepact.cli.options import ContractsOption, open_registry
from tracepact.errors import ConfigError

NAME: Final = "export"
HELP: Final = """Write a contract as a Python module that checks it without tracepact.

`asserts`: functions of plain assertions, for static and symbolic tools. `icontract`, `deal`:
decorators of that library. Checks vanish under `python -O`. Exit code 0: everything is expressed.
1: some conditions are not; each is named, here and in the module. 2: bad call.

Examples:

    tracepact export softmax-kernel-v1 --to asserts -o softmax_checks.py

    tracepact export roofline-model-v1 --to icontract --equation throughput_bound
      --bind throughput=ret
"""


def main(
    contract: Annotated[str, typer.Argument(help="Stem of the contract.", show_default=False)],
    target: Annotated[
        str, typer.Option("--to", help="asserts, icontract or deal.", show_default=False)
    ],
    equations: Annotated[
        list[str] | None,
        typer.Option("--equation", help="Only this one; can be repeated.", show_default=False),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=PARAMETER",
            help="A field under another name; ret is the result. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File; standard output by default."),
    ] = None,
    contracts: ContractsOption = None,
) -> None:
    """Export, write, report what is not expressed."""
    from tracepact.bindings.model import stem_of
    from tracepact.codegen import export_contract

    stem = stem_of(contract)
    command = ["tracepact", "export", stem, "--to", target]
    for name in equations or []:
        command += ["--equation", name]
    for pair in bind or []:
        command += ["--bind", pair]
    if contracts is not None:
        command += ["--contracts", contracts.as_posix()]
    if output is not None:
        command += ["-o", output.as_posix()]
    exported = export_contract(
        open_registry(contracts),
        stem,
        target,
        equations=equations or (),
        bind=_pairs(bind or []),
        command=command,
    )
    if output is None:
        typer.echo(exported.text, nl=False)
    else:
        _write(output, exported.text)
    for problem in exported.notes:
        typer.echo(f"note: {problem}", err=True)
    for problem in exported.dropped:
        typer.echo(f"not checked: {problem}", err=True)
    if exported.dropped:
        raise typer.Exit(1)


def _pairs(texts: list[str]) -> dict[str, str]:
    """Fields and their parameters.

    Raises:
        ConfigError: There is no `=` between two names, or a field has two parameters.
    """
    found: dict[str, str] = {}
    for text in texts:
        field, separator, parameter = text.partition("=")
        if not (field and separator and parameter):
            raise ConfigError(f"--bind {text}: write it as FIELD=PARAMETER")
        if found.setdefault(field, parameter) != parameter:
            raise ConfigError(f"--bind {text}: {field!r} is {found[field]!r} already; drop one")
    return found


def _write(path: Path, text: str) -> None:
    """Write the file, unless that would destroy one that a person wrote.

    Raises:
        ConfigError: It would, or the file cannot be written.
    """
    from tracepact.codegen import is_exported

    try:
        if path.exists() and not is_exported(path.read_text("utf-8", errors="replace")):
            raise ConfigError(
                f"-o {path}: exists and was not exported by tracepact; name another file"
            )
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"-o {path}: cannot be written ({error.strerror})") from None
