"""`tracepact prove`: the bounded harnesses of contracts, run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, Format, FormatOption, print_json
from tracepact.cli.targets import open_target
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracepact.contracts import Contract, Harness
    from tracepact.prove import Proof

    Row = tuple[Contract, Harness, Proof]

NAME: Final = "prove"
HELP: Final = """Run the bounded harnesses of contracts.

CONTRACT is the stem of a contract, a file or a folder; the shipped contracts by default. A harness
asks whether the formula of an equation satisfies an obligation, for every input up to a bound: by
enumeration, or by z3 (install tracepact[prove]). What cannot be run is undecided, and says why.
Exit code 0: nothing is refuted. 1: a harness is. 2: bad call.

Examples:

    tracepact prove softmax-kernel-v1

    tracepact prove contracts --harness KANI-SM-001 --limit 60
"""

_STYLES: Final = {"proved": "green", "refuted": "bold red", "undecided": "yellow"}


def main(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONTRACT …", help="Stems, files or folders.", show_default=False),
    ] = None,
    harness: Annotated[
        list[str] | None,
        typer.Option("--harness", metavar="ID", help="Only this one.", show_default=False),
    ] = None,
    limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="Time for each harness.")
    ] = 10.0,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run them, print what came of each."""
    from tracepact.prove import run_harness

    chosen = []
    every: list[str | None] = [None]
    for target in targets or every:
        registry, stems = open_target(target, contracts)
        for stem in stems:
            contract = registry.contracts[stem]
            chosen += [(registry, contract, each) for each in contract.harnesses]
    if harness:
        chosen = [one for one in chosen if one[2].id in harness]
    if not chosen:
        raise ConfigError(_nothing(harness))
    rows: list[Row] = []
    with _progress(len(chosen)) as advance:
        for registry, contract, each in chosen:
            advance(each.id)
            rows.append((contract, each, run_harness(registry, contract, each, limit_s=limit)))
    if format_ is Format.JSON:
        print_json({"counts": _counts(rows), "harnesses": [_data(*row) for row in rows]})
    else:
        _print(rows)
    if _counts(rows)["refuted"]:
        raise typer.Exit(1)


def _nothing(harness: list[str] | None) -> str:
    if harness:
        return f"no harness is called {', '.join(harness)}; tracepact prove lists them by id"
    return "no contract has a harness; write one under kani_harnesses"


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    return {outcome: sum(row[2].outcome == outcome for row in rows) for outcome in _STYLES}


def _data(contract: Contract, harness: Harness, proof: Proof) -> dict[str, Any]:
    return {
        "contract": contract.stem,
        "harness": harness.id,
        "obligation": harness.obligation,
        "strategy": harness.strategy,
        "bound": harness.bound,
        "location": str(harness.location),
        **asdict(proof),
    }


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    width = max(len(harness.id) for _, harness, _ in rows)
    stem = ""
    for contract, harness, proof in rows:
        if contract.stem != stem:
            stem = contract.stem
            console.print(Text(stem, style="bold"))
        head = Text.assemble(
            (f"  {proof.outcome:<9}", _STYLES[proof.outcome]),
            f"  {harness.id:<{width}}  {harness.obligation}",
        )
        console.print(head)
        text = f"{proof.method}: {proof.detail}" if proof.method else proof.detail
        console.print(Padding(Text(text, style="dim"), (0, 0, 0, 13)))
        if proof.counterexample:
            console.print(Text(str(harness.location), style="dim"), soft_wrap=True)
            console.print(Text(proof.counterexample), soft_wrap=True)
    counts = _counts(rows)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error with the harness that runs; gone when the last one is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("proving {task.description}"), BarColumn(), MofNCompleteColumn())
    done = -1
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(name: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, description=name, completed=done)

        yield advance
