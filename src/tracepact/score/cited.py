"""Falsification tests and harnesses: what they cite, whether that is there, what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracepact.contracts import Obligation, Problem
from tracepact.contracts.problem_log import quoted
from tracepact.enforce.functions import SourceFunction
from tracepact.evidence import Outcome, Result
from tracepact.score.citations import citations
from tracepact.score.ran import outcome_of, squeezed
from tracepact.score.sources import Sources
from tracepact.types import SourceLocation

DoubtKind: TypeAlias = Literal["citation", "failed", "claim", "theorem", "placeholder"]

_GIVEN: Final = re.compile(r"(?:[\w.]+\.)?given\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt(Problem):
    """Something that a contract says and that does not hold.

    Attributes:
        kind: A citation that leads nowhere, something that failed, a count or a theorem that is
            claimed and not there, or an obligation that checks next to nothing.
    """

    kind: DoubtKind = "citation"


@dataclass(frozen=True, slots=True)
class Cited:
    """One falsification test or harness: about what, whether it counts, and what came of it."""

    about: str
    key: str
    counts: bool
    outcome: Outcome | None
    rung: int
    weight: float = 0.0


def look_up(
    what: str,
    texts: tuple[str, str, str],
    location: SourceLocation,
    sources: Sources | None,
    results: Sequence[Result],
    doubts: list[Doubt],
    *,
    weight: float = 0.0,
) -> Cited:
    """Look up what a falsification test or a harness cites.

    Args:
        what: How doubts call it.
        texts: What it is about, its citation, and its id.
        location: Of the record.
        sources: None takes what is written as there.
        results: What is known to have run of it.
        doubts: Gets what is wrong.
        weight: Of a harness.
    """
    about, text, own_id = texts
    cited = citations(text)
    good: list[SourceFunction] = []
    if sources is not None:
        for citation in cited:
            fault, function = sources.fault(citation), sources.test(citation)
            if fault is not None:
                message = f"{what} cites {citation}, {fault.message}"
                doubts.append(Doubt(location, message, fault.hint))
            elif function is not None:
                good.append(function)
        # A harness without a text is run from what the contract says.
        if not cited and not results and (text or not weight):
            message = f"{what} names no test: {quoted(text)}"
            hint = "write it as path/test_file.py::test_name"
            doubts.append(Doubt(location, message, hint))
    outcome = outcome_of(results)
    doubts += refutations(what, location, results)
    there = sources is None or bool(good) or (not cited and outcome == "passed")
    rung = 0
    if there and outcome == "passed":
        rung = 3 if any(_is_property(each) for each in good) else 2
    counts = there and outcome not in ("failed", "skipped")
    return Cited(about, text or own_id, counts, outcome, rung, weight)


def _is_property(function: SourceFunction) -> bool:
    return any(_GIVEN.match(each) for each in function.decorators)


def refutations(what: str, location: SourceLocation, results: Sequence[Result]) -> list[Doubt]:
    """A doubt for each result that failed."""
    failed = dict.fromkeys(each.test for each in results if each.outcome == "failed")
    hint = "correct the function or the contract, and run it again"
    return [Doubt(location, f"{what} is refuted by {test}", hint, kind="failed") for test in failed]


def shared_out(obligations: Sequence[Obligation], entries: Sequence[Cited]) -> list[list[int]]:
    """For each obligation the entries that are about it.

    An entry is about the obligation whose property or id it names. One that names none goes to
    the first obligation that has none yet, unless the same one was counted before.
    """
    shared: list[list[int]] = [[] for _ in obligations]
    names: dict[str, int] = {}
    for index, obligation in enumerate(obligations):
        for name in (obligation.property, obligation.id):
            if name:
                names.setdefault(squeezed(name), index)
    loose: dict[str, int] = {}
    for index, entry in enumerate(entries):
        owner = names.get(squeezed(entry.about))
        if owner is not None:
            shared[owner].append(index)
        elif entry.counts or entry.outcome:
            loose.setdefault(entry.key, index)
    empty = (indices for indices in shared if not indices)
    for index, indices in zip(loose.values(), list(empty), strict=False):
        indices.append(index)
    return shared
