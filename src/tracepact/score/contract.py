"""The score of one contract: five dimensions, a total, a grade, and what raises it most."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import Contract
from tracepact.contracts.problem_log import quoted
from tracepact.score.cited import Doubt
from tracepact.score.ladder import Standing, weigh
from tracepact.score.placeholders import Placeholder, quality
from tracepact.score.ran import NOTHING_RAN, STRATEGY_WEIGHTS, Ran
from tracepact.score.sources import Sources
from tracepact.score.specification import specified

WEIGHTS: Final[Mapping[str, float]] = {
    "specification": 0.20,
    "falsification": 0.25,
    "bounded": 0.25,
    "theorem": 0.10,
    "binding": 0.20,
}
"""The dimensions D1 to D5."""

GRADES: Final = ((0.90, "A"), (0.75, "B"), (0.60, "C"), (0.40, "D"), (0.0, "F"))
_BINDING_VALUES: Final = {"implemented": 1.0, "partial": 0.5}


@dataclass(frozen=True, slots=True)
class Advice:
    """One way to a higher score, and how much it adds to the total at most."""

    dimension: str
    gain: float
    text: str


@dataclass(frozen=True, slots=True)
class ContractScore:
    """What one contract is worth.

    Attributes:
        dimensions: Values in [0, 1] by the names of `WEIGHTS`; None for what was not judged.
        total: Weighted mean of the dimensions that were judged.
        standing: What speaks for each obligation.
        level: Rung of the ladder that evidence shows; None where nothing was read or ran.
        checks: How much its predicates check, in [0, 1]; placeholders count next to nothing.
        placeholders: Those among its predicates.
        advice: What would raise the total, most first.
        findings: Citations that lead nowhere, and claims above the evidence.
    """

    stem: str
    kind: str
    dimensions: Mapping[str, float | None]
    total: float
    grade: str
    standing: Standing
    level: int | None
    checks: float
    placeholders: tuple[Placeholder, ...]
    advice: tuple[Advice, ...]
    findings: tuple[Doubt, ...]


def grade_of(total: float) -> str:
    """A letter for a total in [0, 1]."""
    return next(letter for least, letter in GRADES if reaches(total, least))


def reaches(total: float, least: float) -> bool:
    """Whether a total is enough: sums of weights may end one rounding below what they mean."""
    return total >= least - 1e-9


def score_contract(
    contract: Contract,
    *,
    bindings: Bindings,
    sources: Sources | None = None,
    ran: Ran = NOTHING_RAN,
    known: Collection[str] = (),
    placeholders: Sequence[Placeholder] = (),
    weights: Mapping[str, float] = WEIGHTS,
) -> ContractScore:
    """Score one contract.

    Args:
        contract: Of any kind; what a kernel needs is not asked of the others.
        bindings: Without a file, binding is not judged, and the other weights are scaled up.
        sources: Where cited tests and bound functions are looked up; None takes them as written.
        ran: What is known to have run; see `gather`.
        known: Stems that `depends_on` may name.
        placeholders: As `find_placeholders` gives for all contracts that are scored together.
        weights: By dimension; scaled to a sum of 1.
    """
    standing = weigh(contract, bindings, sources, ran)
    theorem, binding = _theorem(standing), _binding(contract, bindings, sources)
    if contract.metadata.kind != "kernel":
        theorem = max(theorem, 0.5)
        if all(entry.contract != contract.stem for entry in bindings.entries):
            binding = 1.0
    dimensions: dict[str, float | None] = {
        "specification": math.fsum(
            points * reached for points, reached, _ in specified(contract, known)
        ),
        "falsification": _share(contract, standing.tested, otherwise=standing.has_tests),
        "bounded": _share(contract, standing.bounded, otherwise=standing.has_harnesses),
        "theorem": theorem,
        "binding": binding,
    }
    judged = {name: value for name, value in dimensions.items() if value is not None}
    whole = math.fsum(weights[name] for name in judged)
    total = math.fsum(weights[name] * value for name, value in judged.items()) / whole
    own = tuple(each for each in placeholders if each.contract == contract.stem)
    gains = {name: weights[name] * (1 - value) / whole for name, value in judged.items()}
    return ContractScore(
        contract.stem,
        contract.metadata.kind,
        dimensions,
        total,
        grade_of(total),
        standing,
        standing.level,
        _checks(contract, own),
        own,
        _advice(contract, standing, known, gains),
        (*standing.doubts, *_absent(contract, bindings, sources)),
    )


def _share(contract: Contract, reached: Sequence[float], *, otherwise: bool) -> float:
    """D2 and D3: the mean over obligations.

    What is no kernel may have none; then it counts whether there is anything.
    """
    otherwise = otherwise and contract.metadata.kind != "kernel"
    return math.fsum(reached) / len(reached) if reached else float(otherwise)


def _theorem(standing: Standing) -> float:
    """D4: of the obligations with a theorem that applies, how many are proved."""
    applying = [each for each in standing.proved if each is not None]
    return sum(applying) / len(applying) if applying else 0.0


def _binding(contract: Contract, bindings: Bindings, sources: Sources | None) -> float | None:
    """D5: how far the bound functions are; the same one counts once, an idle one nothing."""
    if bindings.path is None:
        return None
    values: dict[tuple[str, str], float] = {}
    for entry in bindings.entries:
        if entry.contract == contract.stem:
            claimed = _BINDING_VALUES.get(entry.status, 0.0)
            idle = entry.equation not in contract.equations or idle_reason(entry, sources)
            values[entry.equation, entry.qualname] = 0.0 if idle else claimed
    return math.fsum(values.values()) / len(values) if values else 0.0


def idle_reason(entry: Binding, sources: Sources | None) -> str:
    """Why a bound function does not count; an empty string if it does, or nothing was read."""
    if sources is None:
        return ""
    function = sources.bound(entry)
    if function is None:
        return "is not in the sources"
    return f"does nothing ({function.location})" if function.is_stub else ""


def _absent(contract: Contract, bindings: Bindings, sources: Sources | None) -> list[Doubt]:
    """Bindings that claim a function which is not in the sources, or does nothing."""
    return [
        Doubt(
            entry.location,
            f"{entry.qualname} is claimed as {entry.status}, but {reason}",
            "write it, or set the status to `pending`",
            kind="claim",
        )
        for entry in bindings.entries
        if entry.contract == contract.stem and entry.status in _BINDING_VALUES
        if (reason := idle_reason(entry, sources))
    ]


def _checks(contract: Contract, placeholders: Sequence[Placeholder]) -> float:
    places = frozenset(each.location for each in placeholders)
    values = [quality(equation, places) for equation in contract.equations.values()]
    return math.fsum(values) / len(values) if values else 0.0


def _advice(
    contract: Contract, standing: Standing, known: Collection[str], gains: Mapping[str, float]
) -> tuple[Advice, ...]:
    open_parts = [(p * (1 - share), text) for p, share, text in specified(contract, known)]
    each = contract.obligations
    untested = [o.property for o, has in zip(each, standing.tested, strict=True) if not has]
    unbounded = [o.property for o, has in zip(each, standing.bounded, strict=True) if not has]
    texts = {
        "specification": max(open_parts)[1],
        "falsification": _named("write a falsification test that passes for", untested),
        "bounded": _named("add a harness for", unbounded)
        if unbounded
        else "strengthen harnesses: "
        + ", ".join(f"{name} {value}" for name, value in STRATEGY_WEIGHTS.items()),
        "theorem": "prove a theorem for an obligation",
        "binding": "bind functions to its equations, and finish those that are partial",
    }
    if not contract.obligations:
        texts["falsification"] = texts["bounded"] = (
            "state obligations, with a test and a harness each"
        )
    found = [Advice(name, gain, texts[name]) for name, gain in gains.items() if gain > 1e-9]
    return tuple(sorted(found, key=lambda each: -each.gain))


def _named(what: str, properties: Sequence[str]) -> str:
    more = f" and {len(properties) - 1} more" if len(properties) > 1 else ""
    return f"{what} {quoted(properties[0])}{more}" if properties else what
