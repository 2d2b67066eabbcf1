"""The score of a code base: its contracts together, and how far its functions keep up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracepact.bindings import Bindings
from tracepact.contracts import Contract, Problem
from tracepact.contracts.problem_log import did_you_mean
from tracepact.score.contract import ContractScore, grade_of, idle_reason
from tracepact.score.sources import Sources

CODEBASE_WEIGHTS: Final[Mapping[str, float]] = {
    "contract_coverage": 0.30,
    "binding_completeness": 0.20,
    "mean_score": 0.20,
    "proof_depth": 0.15,
    "freshness": 0.15,
}
_DEPTHS: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.0)
"""What a rung of the ladder counts for proof depth."""


@dataclass(frozen=True, slots=True)
class CodebaseScore:
    """What the contracts of a code base are worth to it.

    Attributes:
        parts: Values in [0, 1] by the names of `CODEBASE_WEIGHTS`; None for what was not judged.
        total: Weighted mean of the parts that were judged.
        findings: Bindings of contracts and equations that are not there.
    """

    parts: Mapping[str, float | None]
    total: float
    grade: str
    findings: tuple[Problem, ...]


def score_codebase(
    contracts: Mapping[str, Contract],
    scores: Sequence[ContractScore],
    bindings: Bindings,
    sources: Sources | None = None,
) -> CodebaseScore | None:
    """Score all contracts together; None without a binding file or without contracts.

    Args:
        contracts: By stem.
        scores: One for each of them.
        bindings: What the code claims to implement.
        sources: As for the scores; None takes the status of bindings as true.
    """
    if bindings.path is None or not scores:
        return None
    entries = bindings.entries
    kernels = [stem for stem, each in contracts.items() if each.metadata.kind == "kernel"]
    bound = {entry.contract for entry in entries}
    absent = [bool(idle_reason(entry, sources)) for entry in entries]
    done = {"implemented": 1.0, "partial": 0.5}
    reached = [
        0.0 if gone else done.get(each.status, 0.0)
        for each, gone in zip(entries, absent, strict=True)
    ]
    findings = _dangling(contracts, bindings)
    stale = sum(
        gone or entry.location in {each.location for each in findings}
        for entry, gone in zip(entries, absent, strict=True)
    )
    depths = [_DEPTHS[score.level] for score in scores if score.level is not None]
    parts: dict[str, float | None] = {
        "contract_coverage": _mean([float(stem in bound) for stem in kernels]),
        "binding_completeness": _mean(reached),
        "mean_score": _mean([score.total for score in scores]),
        "proof_depth": _mean(depths) if depths else None,
        "freshness": 1 - stale / len(entries) if entries else 0.0,
    }
    judged = {name: value for name, value in parts.items() if value is not None}
    whole = math.fsum(CODEBASE_WEIGHTS[name] for name in judged)
    total = math.fsum(CODEBASE_WEIGHTS[name] * value for name, value in judged.items()) / whole
    return CodebaseScore(parts, total, grade_of(total), tuple(findings))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _dangling(contracts: Mapping[str, Contract], bindings: Bindings) -> list[Problem]:
    found = []
    for entry in bindings.entries:
        contract = contracts.get(entry.contract)
        if contract is None:
            hint = did_you_mean(entry.contract, contracts)
            what = f"binding of unknown contract {entry.contract!r}"
        elif entry.equation not in contract.equations:
            hint = did_you_mean(entry.equation, contract.equations)
            what = f"binding of {entry.contract!r}, which has no equation {entry.equation!r}"
        else:
            continue
        found.append(Problem(entry.location, what, hint))
    return found
