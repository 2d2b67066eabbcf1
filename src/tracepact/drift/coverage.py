"""Which obligations are tested, proved and implemented: by what ran, not by what is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracepact.bindings import Bindings
from tracepact.contracts import Contract, Obligation
from tracepact.contracts.files import display_name
from tracepact.evidence import Result
from tracepact.score import Ran, Sources, citations, weigh
from tracepact.score.placeholders import emptiness
from tracepact.types import SourceLocation

State: TypeAlias = Literal["passed", "failed", "skipped", "not run", "none", "partial"]
"""`not run`: it is written, but nothing says that it passed; `none`: there is nothing."""

Column: TypeAlias = Literal["falsification", "property", "bounded", "binding"]
COLUMNS: Final[Mapping[Column, str]] = {
    "falsification": "falsification test",
    "property": "property test",
    "bounded": "bounded proof",
    "binding": "bound function",
}

_GIVEN: Final = re.compile(r"(?:[\w.]+\.)?given\(")
_RANKS: Final[tuple[State, ...]] = ("failed", "passed", "skipped")


@dataclass(frozen=True, slots=True)
class Cell:
    """What there is of one kind for one obligation; `reason` says why it did not pass."""

    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One obligation.

    Attributes:
        contract: Stem.
        type: Of the obligation; "" where a contract states none.
        obligation: Its property; "" where a contract states none.
        cells: By the names of `COLUMNS`.
    """

    contract: str
    type: str
    obligation: str
    location: SourceLocation
    cells: Mapping[Column, Cell]

    @property
    def missing(self) -> tuple[str, ...]:
        """What it takes to cover the obligation, in words."""
        return tuple(
            f"{COLUMNS[name]}: {cell.reason or cell.state}"
            for name, cell in self.cells.items()
            if cell.state != "passed"
        )


def cover(contract: Contract, bindings: Bindings, sources: Sources | None, ran: Ran) -> list[Row]:
    """The rows of a contract.

    Args:
        contract: Of any kind. A kernel without obligations has one row, which nothing covers.
        bindings: Functions that implement it.
        sources: Where functions and cited tests are looked up; None takes them as written.
        ran: What ran.

    Nothing passes by being written: only a result that passed counts, and a function that is there.
    """
    written = weigh(contract, bindings, sources)
    rows = []
    for index, each in enumerate(contract.obligations):
        cited, driven = _cited(contract, each, sources, ran)
        harnesses = [one.id for one in contract.harnesses if _names(each, one.obligation)]
        cells: dict[Column, Cell] = {
            "falsification": _cell(cited, written=written.tested[index]),
            "property": _cell([*ran.properties(contract, each), *driven], written=False),
            "bounded": _cell(
                ran.proofs(contract, each, harnesses), written=bool(written.bounded[index])
            ),
            "binding": _binding(contract, each, bindings, sources, ran),
        }
        reason = emptiness(each.formal) if each.formal else ""
        if reason:  # whatever passed, it showed next to nothing
            nothing = Cell("none", f"the obligation {reason}")
            cells |= dict.fromkeys(("falsification", "property", "bounded"), nothing)
        rows.append(Row(contract.stem, each.type, each.property, each.location, cells))
    if not rows and contract.equations and contract.metadata.kind == "kernel":
        place = SourceLocation(display_name(contract.path), 1, 1)
        empty = dict.fromkeys(COLUMNS, Cell("none", "the contract states no obligation"))
        rows.append(Row(contract.stem, "", "", place, empty))
    return rows


def share(rows: Sequence[Row], columns: Iterable[Column] = tuple(COLUMNS)) -> float:
    """How much is covered, in percent of all cells; 100 where there are none."""
    cells = [row.cells[name].state for row in rows for name in columns]
    return 100.0 * cells.count("passed") / len(cells) if cells else 100.0


def _cited(
    contract: Contract, obligation: Obligation, sources: Sources | None, ran: Ran
) -> tuple[list[Result], list[Result]]:
    """Results of the falsification tests that name an obligation, and of those by Hypothesis.

    With sources a result counts only if the test that it is of is still there.
    """
    found: list[Result] = []
    driven: list[Result] = []
    for test in contract.falsification_tests:
        if not _names(obligation, test.rule):
            continue
        cited = citations(test.test)
        there = [each for each in cited if sources is None or sources.fault(each) is None]
        results = ran.test(contract.stem, test.id, there) if there or not cited else ()
        found += results
        functions = [sources.test(each) for each in there] if sources is not None else []
        if any(f is not None and any(map(_GIVEN.match, f.decorators)) for f in functions):
            driven += results
    return found, driven


def _names(obligation: Obligation, text: str) -> bool:
    """Whether a text names an obligation, by property or id."""
    return bool(text) and _squeezed(text) in map(_squeezed, (obligation.property, obligation.id))


def _cell(results: Sequence[Result], *, written: bool) -> Cell:
    """The outcome of several: what failed counts first, then what passed."""
    for state in _RANKS:
        found = next((each for each in results if each.outcome == state), None)
        if found is not None:
            return Cell(state, "" if state == "passed" else found.detail or f"{state} {found.test}")
    if written:
        return Cell("not run", "written, but nothing says that it passed")
    return Cell("none", "there is none")


def _binding(
    contract: Contract,
    obligation: Obligation,
    bindings: Bindings,
    sources: Sources | None,
    ran: Ran,
) -> Cell:
    """Whether functions implement the equations that an obligation is about."""
    equations = [name for name in contract.equations if obligation.covers(name)]
    missing, partial = [], []
    for name in equations:
        entries = [
            entry
            for entry in bindings.get(contract.stem, name)
            if entry.status in ("implemented", "partial")
            and (sources is None or sources.bound(entry) is not None)
        ]
        if not entries:
            missing.append(name)
        elif all(entry.status == "partial" for entry in entries):
            partial.append(name)
        functions = {entry.qualname for entry in entries}
        for each in ran.interfaces(contract.stem):
            if each.outcome == "failed" and each.equation == name and each.function in functions:
                return Cell("failed", each.detail or f"failed {each.test}")
    if not missing and not partial and equations:
        return Cell("passed")
    if len(missing) == len(equations):
        return Cell("none", f"no function for {', '.join(missing) or 'its equations'}")
    return Cell("partial", f"not finished: {', '.join([*missing, *partial])}")


def _squeezed(text: str) -> str:
    return " ".join(text.lower().split())
