"""`tracepact coverage`: which obligations are tested, proved and implemented."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, print_json
from tracepact.cli.targets import EvidenceOption, open_evidence, open_target
from tracepact.drift.words import markdown, markdown_row, one_line
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracepact.bindings import Bindings
    from tracepact.drift.coverage import Row

NAME: Final = "coverage"
HELP: Final = """Show which obligations are tested, proved and implemented: a matrix.

TARGET is the stem of a contract, a file or a folder; the shipped contracts by default. A test or
proof counts when it ran and passed: `pytest --tracepact` leaves its results in
.tracepact/evidence.json. "not run" is written and has no result, "none" is not there. The binding
files of the project count unless --binding names one; with --source a function counts only where
it is there.

Exit code 0: nothing failed. 1: something failed, or less is covered than --fail-under asks for.
2: bad call.

Examples:

    tracepact coverage softmax-kernel-v1

    tracepact coverage contracts --source . --fail-under 75
"""

_STYLES: Final = {
    "passed": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "partial": "yellow",
    "not run": "yellow",
    "none": "dim",
}
_TOLD: Final = ("failed", "skipped", "partial")
"""States that need a reason; the others speak for themselves."""
_CELL: Final = 9
_HEADS: Final = ("falsified", "property", "bounded", "binding")
_LEAST_NAME: Final = 24


class CoverageFormat(StrEnum):
    """How the matrix is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def main(
    target: Annotated[
        str | None, typer.Argument(help="Stem, file or folder.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder with the sources and the tests.", show_default=False
        ),
    ] = None,
    binding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Binding file.", show_default=False)
    ] = None,
    evidence: EvidenceOption = None,
    fail_under: Annotated[
        float, typer.Option(min=0, max=100, metavar="PERCENT", help="Least share of cells.")
    ] = 0.0,
    contracts: ContractsOption = None,
    format_: Annotated[
        CoverageFormat, typer.Option("--format", help="What the matrix is for.")
    ] = CoverageFormat.TEXT,
) -> None:
    """Load, weigh, print."""
    from tracepact.drift.coverage import cover, share
    from tracepact.score import gather, read_sources

    for option, path in (("--source", source), ("--binding", binding)):
        if path is not None and not path.exists():
            raise ConfigError(f"{option} {path}: does not exist")
    registry, stems = open_target(target, contracts)
    chosen = [registry.contracts[stem] for stem in stems]
    bindings = _bindings(binding)
    sources = None if source is None else read_sources(source, chosen, bindings)
    ran = gather(open_evidence(evidence))
    rows = [row for each in chosen for row in cover(each, bindings, sources, ran)]
    total = share(rows)
    match format_:
        case CoverageFormat.JSON:
            print_json(_data(rows, fail_under))
        case CoverageFormat.MARKDOWN:
            typer.echo(_markdown(rows), nl=False)
        case _:
            _print(rows, any_results=ran.known)
    failed = any(cell.state == "failed" for row in rows for cell in row.cells.values())
    # What is shown is rounded, so that is what is compared.
    under = round(total, 1) < fail_under
    if under:
        typer.echo(f"{total:.1f} % is less than --fail-under {fail_under:g}", err=True)
    if failed or under:
        raise typer.Exit(1)


def _bindings(path: Path | None) -> Bindings:
    """The binding file that is named, or those of the project as one."""
    from tracepact.bindings import load_bindings
    from tracepact.bindings.find import binding_files

    if path is not None:
        return load_bindings(path)
    found = [load_bindings(each) for each in binding_files(Path.cwd())]
    if not found:
        return load_bindings(None)
    return replace(found[0], entries=tuple(entry for each in found for entry in each.entries))


def _data(rows: Sequence[Row], fail_under: float) -> dict[str, Any]:
    from tracepact.drift.coverage import COLUMNS, share

    return {
        "covered_percent": round(share(rows), 1),
        "fail_under": fail_under,
        "columns": {name: round(share(rows, [name]), 1) for name in COLUMNS},
        "obligations": [asdict(row) | {"missing": list(row.missing)} for row in rows],
    }


def _print(rows: Sequence[Row], *, any_results: bool) -> None:
    from rich.console import Console

    from tracepact.drift.coverage import COLUMNS, share

    console = Console(highlight=False, soft_wrap=True, markup=False)
    longest = max((len(row.obligation) + 2 for row in rows), default=0)
    room = console.width - len(_HEADS) * (_CELL + 2)
    width = max(_LEAST_NAME, min(longest, room))
    console.print(f"{'obligation':<{width}}", *(f"{head:<{_CELL}}" for head in _HEADS), sep="  ",
                  style="dim")  # fmt: skip
    for stem, group in groupby(rows, key=lambda row: row.contract):
        own = list(group)
        console.print(f"{one_line(stem)}  {share(own):.0f} %", style="bold")
        for row in own:
            name = one_line(row.obligation) or "(states no obligation)"
            name = name if len(name) <= width - 2 else f"{name[: width - 3]}…"
            console.print(f"  {name:<{width - 2}}", end="")
            for cell in row.cells.values():
                console.print(f"  {cell.state:<{_CELL}}", style=_STYLES[cell.state], end="")
            console.print()
            for column, cell in row.cells.items():
                if cell.state in _TOLD:
                    console.print(
                        f"    {COLUMNS[column]} {cell.state}: {one_line(cell.reason)}",
                        style=_STYLES[cell.state],
                    )
    console.print()
    for name, words in COLUMNS.items():
        done = sum(row.cells[name].state == "passed" for row in rows)
        console.print(f"{share(rows, [name]):5.1f} %  {words} ({done} of {len(rows)} obligations)")
    console.print(f"{share(rows):5.1f} %  covered", style="bold")
    if not any_results:
        console.print("no results of tests are there: run `pytest --tracepact` first")


def _markdown(rows: Sequence[Row]) -> str:
    from tracepact.drift.coverage import COLUMNS, share

    lines = [f"## Coverage of obligations: {share(rows):.1f} %", ""]
    heads = ["contract", "obligation", *COLUMNS.values()]
    lines += [markdown_row(*heads), markdown_row(*["---"] * len(heads))]
    lines += [
        markdown_row(row.contract, row.obligation, *(cell.state for cell in row.cells.values()))
        for row in rows
    ]
    told = [
        f"- {markdown(f'{row.contract}: {row.obligation}: {COLUMNS[name]} {cell.state}')}: "
        f"{markdown(cell.reason)}"
        for row in rows
        for name, cell in row.cells.items()
        if cell.state in _TOLD
    ]
    lines += ["", *told] if told else []
    return "\n".join(lines) + "\n"
