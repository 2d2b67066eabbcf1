"""Results of runs, ordered by what contracts cite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tracepact.contracts import Contract, Obligation
from tracepact.evidence import Outcome, Result
from tracepact.score.citations import Citation, citations

STRATEGY_WEIGHTS: Final[Mapping[str, float]] = {
    "exhaustive": 1.0,
    "bounded_int": 0.9,
    "stub_float": 0.8,
    "compositional": 0.7,
}
OTHER_STRATEGY: Final = 0.5
_METHODS: Final = {
    "enumeration": STRATEGY_WEIGHTS["exhaustive"],
    "z3 over reals and enumeration": STRATEGY_WEIGHTS["stub_float"],
    "z3": STRATEGY_WEIGHTS["bounded_int"],
}
"""How `tracepact.prove` calls what it did."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What ran, by contract, and by the last name of the test.

    Attributes:
        known: Whether there is any result at all.
    """

    _by_contract: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    _by_name: Mapping[str, Sequence[tuple[Citation, Result]]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether there is any result at all."""
        return bool(self._by_contract or self._by_name)

    def test(self, stem: str, test_id: str, cited: Iterable[Citation]) -> tuple[Result, ...]:
        """Results of a falsification test: by its id, and of what it cites."""
        own = (
            each
            for each in self._by_contract.get(stem, ())
            # Skipped means here that the cited test was not part of the run.
            if each.kind == "falsification" and each.obligation == test_id
            if each.outcome != "skipped"
        )
        return (*own, *self.cited(cited))

    def cited(self, cited: Iterable[Citation]) -> tuple[Result, ...]:
        """Results of the tests that a text cites."""
        return tuple(
            result
            for citation in cited
            for other, result in self._by_name.get(citation.name, ())
            if citation.means(other)
        )

    def properties(self, contract: Contract, obligation: Obligation) -> tuple[Result, ...]:
        """Results of the property tests that were generated from an obligation."""
        return self._about(contract, obligation, "property", ())

    def proofs(
        self, contract: Contract, obligation: Obligation, harness_ids: Iterable[str]
    ) -> tuple[Result, ...]:
        """Results of bounded proofs of an obligation, named by it or by a harness about it."""
        return self._about(contract, obligation, "bounded", harness_ids)

    def interfaces(self, stem: str) -> tuple[Result, ...]:
        """Results of interface tests."""
        return tuple(r for r in self._by_contract.get(stem, ()) if r.kind == "interface")

    def _about(
        self, contract: Contract, obligation: Obligation, kind: str, ids: Iterable[str]
    ) -> tuple[Result, ...]:
        names = {squeezed(n) for n in (obligation.property, obligation.id, *ids) if n}
        return tuple(
            each
            for each in self._by_contract.get(contract.stem, ())
            if each.kind == kind and squeezed(each.obligation) in names
            if not each.equation or obligation.covers(each.equation)
        )


NOTHING_RAN: Final = Ran()


def gather(results: Iterable[Result]) -> Ran:
    """Results in the order that scores ask for them."""
    by_contract: dict[str, list[Result]] = {}
    by_name: dict[str, list[tuple[Citation, Result]]] = {}
    for result in results:
        if result.kind != "test":
            by_contract.setdefault(result.contract, []).append(result)
            continue
        for citation in citations(result.test):
            by_name.setdefault(citation.name, []).append((citation, result))
    return Ran(by_contract, by_name)


def outcome_of(results: Iterable[Result]) -> Outcome | None:
    """What came of several results together: one that failed decides; None if nothing ran."""
    found = {result.outcome for result in results}
    order: tuple[Outcome, ...] = ("failed", "passed", "skipped")
    return next((outcome for outcome in order if outcome in found), None)


def weight_of(result: Result) -> float:
    """What a bounded proof that passed is worth, by the method that its detail begins with."""
    method = result.detail.lower()
    named = (
        each
        for name, each in (*_METHODS.items(), *STRATEGY_WEIGHTS.items())
        if method.startswith(name)
    )
    return next(named, OTHER_STRATEGY)


def squeezed(text: str) -> str:
    """The same text for comparing: neither case nor spacing counts."""
    return " ".join(text.lower().split())
