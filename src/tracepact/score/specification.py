"""The first dimension of a score: what a contract specifies."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tracepact.contracts import Contract
from tracepact.score.placeholders import is_filler, share_stated


def specified(contract: Contract, known: Collection[str]) -> list[tuple[float, float, str]]:
    """D1 in its parts: points, how much of them is reached, and what to write for the rest."""
    equations = list(contract.equations.values())
    meta = contract.metadata
    formulas = share_stated([(each.formula,) for each in equations])
    domains = [not is_filler(each.domain) for each in equations]
    invariants = share_stated([each.invariants for each in equations])
    structure = meta.kind != "kernel" or _says(contract.sections.get("kernel_structure"))
    tolerances = [each.tolerance for each in equations]
    tolerances += [each.tolerance for each in contract.obligations]
    return [
        (0.30, formulas, "give each equation a formula"),
        (0.15, sum(domains) / max(1, len(domains)), "give each equation a domain"),
        (0.15, invariants, "state invariants of each equation"),
        (0.15, float(structure), "describe the phases in kernel_structure"),
        (0.10, float(any(each is not None for each in tolerances)), "state a tolerance"),
        (0.10, share_stated([meta.references]), "cite references"),
        (
            0.05,
            float(all(stem in known for stem in meta.depends_on)),
            "let depends_on name contracts that are there",
        ),
    ]


def _says(section: object) -> bool:
    """Whether plain data has any text or number in it."""
    if isinstance(section, Mapping):
        return any(map(_says, section.values()))
    if isinstance(section, list):
        return any(map(_says, section))
    return not is_filler("" if section is None else str(section))
