"""The verification ladder: what was tested and proved, and not what a contract says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracepact.bindings import Bindings
from tracepact.contracts import Contract, Obligation
from tracepact.contracts.problem_log import quoted
from tracepact.evidence import Outcome, Result
from tracepact.score.citations import citations
from tracepact.score.cited import Cited, Doubt, look_up, refutations, shared_out
from tracepact.score.claims import counts_above, is_proved
from tracepact.score.placeholders import emptiness
from tracepact.score.ran import (
    NOTHING_RAN,
    OTHER_STRATEGY,
    STRATEGY_WEIGHTS,
    Ran,
    outcome_of,
    weight_of,
)
from tracepact.score.sources import Sources

LEVELS: Final = (
    "L0 review and lint",
    "L1 types",
    "L2 falsification tests",
    "L3 property tests",
    "L4 bounded model checking",
    "L5 theorem",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What speaks for each obligation of a contract, in their order.

    Attributes:
        has_tests: Whether any falsification test counts.
        has_harnesses: Whether any harness counts.
        tested: Whether a falsification test is about it.
        bounded: Weight of the best harness that is about it; 0 without one.
        proved: Whether sources prove its theorem; None where none applies.
        levels: The level that each obligation reaches; empty where nothing was read or ran.
        level: That of the weakest obligation; None where nothing was read or ran.
        ran: Whether any result is about this contract.
        test_outcomes: What came of each falsification test; None where it did not run.
        harness_outcomes: The same of the tests that harnesses cite.
        doubts: What was found wrong on the way.
    """

    has_tests: bool
    has_harnesses: bool
    tested: tuple[bool, ...]
    bounded: tuple[float, ...]
    proved: tuple[bool | None, ...]
    levels: tuple[int, ...]
    level: int | None
    ran: bool
    test_outcomes: tuple[Outcome | None, ...]
    harness_outcomes: tuple[Outcome | None, ...]
    doubts: tuple[Doubt, ...]


def weigh(
    contract: Contract, bindings: Bindings, sources: Sources | None, ran: Ran = NOTHING_RAN
) -> Standing:
    """What speaks for a contract.

    Tests and harnesses count as they are written; with sources only those that cite a test which
    is there and does something; and never those that failed or were skipped when they last ran.
    Only what ran and passed leads above the first level.
    """
    doubts: list[Doubt] = []
    tests = [
        look_up(
            f"test {each.id}",
            (each.rule, each.test, each.id),
            each.location,
            sources,
            ran.test(contract.stem, each.id, citations(each.test)),
            doubts,
        )
        for each in contract.falsification_tests
    ]
    harnesses = [
        look_up(
            f"harness {each.id}",
            (each.obligation, each.harness, each.id),
            each.location,
            sources,
            ran.cited(citations(each.harness)),
            doubts,
            weight=STRATEGY_WEIGHTS.get(each.strategy, OTHER_STRATEGY),
        )
        for each in contract.harnesses
    ]
    obligations = contract.obligations
    proved = tuple(is_proved(obligation, sources, doubts) for obligation in obligations)
    by_test, by_harness = shared_out(obligations, tests), shared_out(obligations, harnesses)
    judged = []
    for index, obligation in enumerate(obligations):
        ids = [contract.harnesses[i].id for i in by_harness[index]]
        shown = _Shown(
            [tests[i] for i in by_test[index]],
            [harnesses[i] for i in by_harness[index]],
            ran.properties(contract, obligation),
            ran.proofs(contract, obligation, ids),
        )
        judged.append(_judge(obligation, shown, doubts, proved=bool(proved[index])))
    levels = tuple(each.level for each in judged)
    tested = tuple(each.tested for each in judged)
    bounded = tuple(each.bounded for each in judged)
    heard = any(each.outcome for each in (*tests, *harnesses)) or any(e.heard for e in judged)
    level = None
    if sources is not None or ran.known:
        typed = _is_typed(contract, bindings, sources, ran.interfaces(contract.stem))
        level = max(min(levels, default=0), 1 if typed else 0)
        there = (
            None
            if heard
            else {2: sum(tested), 4: sum(map(bool, bounded)), 5: sum(map(bool, proved))}
        )
        doubts += counts_above(contract, levels, there)
    return Standing(
        has_tests=any(each.counts for each in tests),
        has_harnesses=any(each.counts for each in harnesses),
        tested=tested,
        bounded=bounded,
        proved=proved,
        levels=() if level is None else levels,
        level=level,
        ran=heard,
        test_outcomes=tuple(each.outcome for each in tests),
        harness_outcomes=tuple(each.outcome for each in harnesses),
        doubts=tuple(doubts),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """Everything that speaks for one obligation, or against it."""

    tests: Sequence[Cited]
    harnesses: Sequence[Cited]
    properties: Sequence[Result]
    proofs: Sequence[Result]

    @property
    def is_refuted(self) -> bool:
        cited = (each.outcome for each in (*self.tests, *self.harnesses))
        run = (each.outcome for each in (*self.properties, *self.proofs))
        return "failed" in (*cited, *run)

    @property
    def bounded(self) -> float:
        """Weight of what ran and passed; else what the harnesses are worth as far as one reads."""
        passed = [weight_of(each) for each in self.proofs if each.outcome == "passed"]
        passed += [each.weight for each in self.harnesses if each.outcome == "passed"]
        if passed:
            return max(passed)
        there = max((each.weight for each in self.harnesses if each.counts), default=0.0)
        return min(there, OTHER_STRATEGY) if self.proofs else there

    def level(self, *, proved: bool) -> int:
        """The highest rung that something which passed leads to."""
        rungs = [each.rung for each in self.tests]
        rungs += [3 for each in self.properties if each.outcome == "passed"]
        rungs += [4 for each in self.proofs if each.outcome == "passed"]
        # A theorem is about a formula: something has to show that the function is that formula.
        return 5 if proved and any(rungs) else max(rungs, default=0)


@dataclass(frozen=True, slots=True)
class _Judged:
    tested: bool
    bounded: float
    level: int
    heard: bool


def _judge(obligation: Obligation, shown: _Shown, doubts: list[Doubt], *, proved: bool) -> _Judged:
    """What is shown of an obligation: nothing, if it says nothing or something refutes it."""
    place, name = obligation.location, quoted(obligation.property)
    heard = bool(shown.properties or shown.proofs)
    doubts += refutations(f"obligation {name}", place, (*shown.proofs, *shown.properties))
    reason = emptiness(obligation.formal) if obligation.formal else ""
    if reason:
        message = f"obligation {name} {reason}: {obligation.formal}"
        hint = "state what the function has to fulfil"
        doubts.append(Doubt(place, message, hint, kind="placeholder"))
    if reason or shown.is_refuted:
        return _Judged(tested=False, bounded=0.0, level=0, heard=heard)
    tested = any(each.counts for each in shown.tests)
    return _Judged(tested, shown.bounded, shown.level(proved=proved), heard)


def _is_typed(
    contract: Contract,
    bindings: Bindings,
    sources: Sources | None,
    interfaces: Sequence[Result],
) -> bool:
    if outcome := outcome_of(interfaces):
        return outcome == "passed"
    if sources is None:
        return False
    entries = [each for each in bindings.entries if each.contract == contract.stem]
    functions = [sources.bound(entry) for entry in entries]
    return bool(entries) and all(f is not None and f.is_annotated for f in functions)
