"""`tracepact bind`: which function implements which equation, and whether that is true."""

from __future__ import annotations

from dataclasses import asdict
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
    from tracepact.bindings import Bindings
    from tracepact.contracts import Problem

NAME: Final = "bind"
HELP: Final = """List the bindings of a project, and find what they claim wrongly.

FILE is a binding.yaml; by default the one of the project in this folder, or of its package. Exit
code 0: nothing wrong. 1: findings, or a stale --constants file. 2: bad call.

Examples:

    tracepact bind --verify

    tracepact bind --static src

    tracepact bind --propose --source src

    tracepact bind --constants src/package/_contracts.py
"""

_COLOURS: Final = {
    "implemented": "green",
    "partial": "yellow",
    "pending": "yellow",
    "not_implemented": "bold red",
}


def main(
    file: Annotated[Path | None, typer.Argument(help="Binding file.", show_default=False)] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Import the functions and compare; runs their modules.")
    ] = False,
    static: Annotated[
        Path | None,
        typer.Option(
            help="Compare with sources below this path; runs nothing.", show_default=False
        ),
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Print entries for unbound equations, as YAML.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option(help="Where --propose looks; by default beside FILE.", show_default=False),
    ] = None,
    constants: Annotated[
        Path | None,
        typer.Option(help="Write a module with the statuses.", show_default=False),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether --constants is current.")
    ] = False,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Load, compare as asked, print."""
    from tracepact.bindings import load_bindings

    if check and constants is None:
        raise ConfigError("--check goes with --constants FILE")
    if source is not None and not propose:
        raise ConfigError("--source PATH goes with --propose")
    if file is not None and not file.exists():
        raise ConfigError(f"{file} does not exist; name a binding.yaml")
    path = file or _default_file()
    if propose and path is not None and path.is_file() and path.stat().st_size == 0:
        path = None  # `--propose > binding.yaml`: the shell has just made it
    bindings = load_bindings(path)
    registry = open_registry(contracts)
    findings = list(bindings.problems)
    verified: list[bool] | None = None
    if verify:
        from tracepact.enforce.verify import verify_binding

        wrong = [verify_binding(entry, bindings, registry) for entry in bindings.entries]
        verified = [not each for each in wrong]
        findings += [problem for each in wrong for problem in each]
    if static is not None:
        from tracepact.enforce.functions import read_functions
        from tracepact.enforce.static import check_sources

        functions, unread = read_functions(_existing(static))
        findings += unread + check_sources(functions, bindings, registry)
    proposed: list[dict[str, str]] = []
    if propose:
        from tracepact.enforce.functions import read_functions
        from tracepact.enforce.propose import propose_entries

        beside = Path.cwd() if bindings.path is None else bindings.path.parent
        functions, unread = read_functions(_existing(source or beside))
        findings += unread
        proposed = propose_entries(functions, bindings, registry)
    stale = constants is not None and _constants(constants, bindings, check=check)
    if format_ is Format.JSON:
        print_json(_data(bindings, verified, findings, proposed if propose else None))
    elif propose:
        _print_proposed(proposed, findings, is_new=bindings.path is None)
    else:
        _print(bindings, verified, findings)
    if findings or stale:
        raise typer.Exit(1)


def _default_file() -> Path | None:
    from tracepact.bindings import BINDING_VARIABLE, binding_files

    here = Path.cwd()
    found = [
        path.relative_to(here) if path.is_relative_to(here) else path
        for path in binding_files(here)
    ]
    if len(found) > 1:
        raise ConfigError(f"several binding files, name one: {', '.join(map(str, found))}")
    if found and not found[0].exists():
        named = f"{BINDING_VARIABLE} or [tool.tracepact] binding names it"
        typer.echo(f"{found[0]}: no such file; {named}", err=True)
    return found[0] if found else None


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"{path} does not exist; name a folder or a file with sources")
    return path


def _constants(path: Path, bindings: Bindings, *, check: bool) -> bool:
    """Write the module, or compare; whether it is stale."""
    from tracepact.bindings import render_module

    text = render_module(bindings).encode()
    try:
        is_stale = not path.exists() or path.read_bytes() != text
        if is_stale and not check:
            path.write_bytes(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; name a file in a folder that is there"
        ) from error
    if is_stale:
        what = f"stale: {path}; run tracepact bind --constants {path}" if check else f"wrote {path}"
        typer.echo(what, err=True)
    return is_stale and check


def _data(
    bindings: Bindings,
    verified: list[bool] | None,
    findings: list[Problem],
    proposed: list[dict[str, str]] | None,
) -> dict[str, Any]:
    entries = [asdict(entry) for entry in bindings.entries]
    for entry, holds in zip(entries, verified or [], strict=False):
        entry["verified"] = holds
    data: dict[str, Any] = {
        "source": bindings.source,
        "version": bindings.version,
        "target": bindings.target,
        "critical_path": list(bindings.critical_path),
        "bindings": entries,
        "findings": [asdict(problem) for problem in findings],
    }
    return data if proposed is None else data | {"proposed": proposed}


def _print(bindings: Bindings, verified: list[bool] | None, findings: list[Problem]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if bindings.path is None:
        console.print("no binding file; write one with: tracepact bind --propose --source src")
    names = [f"{entry.contract}/{entry.equation}" for entry in bindings.entries]
    width = max(map(len, names), default=0)
    for index, (entry, name) in enumerate(zip(bindings.entries, names, strict=True)):
        line = Text(f"{entry.status:<15} ", style=_COLOURS[entry.status])
        if verified is not None:
            line.append(*(("true   ", "green") if verified[index] else ("wrong  ", "bold red")))
        line.append(
            f"{name:<{width}}  {entry.qualname.removeprefix(bindings.target + '.')}", "none"
        )
        console.print(line, soft_wrap=True)
    _print_findings(console, findings)
    counts = [entry.status for entry in bindings.entries]
    each = ", ".join(f"{counts.count(s)} {s}" for s in _COLOURS if s in counts)
    said = f"{bindings.source}: {len(counts)} bindings{': ' + each if each else ''}"
    console.print(Text(said), soft_wrap=True)


def _print_findings(console: Any, findings: list[Problem]) -> None:
    from rich.text import Text

    for problem in findings:
        console.print(Text(str(problem)), soft_wrap=True)


def _print_proposed(
    proposed: list[dict[str, str]], findings: list[Problem], *, is_new: bool
) -> None:
    """YAML alone on standard output: a file, or what can be appended to the one there is."""
    from rich.console import Console

    from tracepact.enforce.propose import render_entries

    if is_new and proposed:
        typer.echo('version: "1"\nbindings:')
    typer.echo(render_entries(proposed), nl=False)
    _print_findings(Console(stderr=True, highlight=False), findings)
    typer.echo(f"{len(proposed)} functions belong to unbound equations", err=True)
