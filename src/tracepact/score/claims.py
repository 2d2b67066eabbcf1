"""What a contract says of its own standing, held against what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tracepact.contracts import Contract, Obligation
from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.problem_log import ProblemLog, quoted
from tracepact.score.cited import Doubt
from tracepact.score.sources import Sources
from tracepact.types import SourceLocation

_CLAIMS: Final = {"l2_property_tested": 2, "l3_kani_proved": 4, "l4_lean_proved": 5}
"""Counts of `verification_summary`, with the level that each one claims."""


def is_proved(obligation: Obligation, sources: Sources | None, doubts: list[Doubt]) -> bool | None:
    """Whether sources prove the theorem of an obligation; None where none applies."""
    lean = obligation.lean
    if lean is None or str(lean.get("status", "")).replace("_", "-") == "not-applicable":
        return None
    theorem, claimed = str(lean.get("theorem", "")), lean.get("status") == "proved"
    proved = sources is not None and theorem.rpartition(".")[2] in sources.proved
    if claimed and sources is not None and not proved:
        message = f"theorem {quoted(theorem)} is claimed as proved, but no proof of it is there"
        hint = "add its Lean file, or say `sorry`"
        doubts.append(Doubt(obligation.location, message, hint, kind="theorem"))
    return proved


def counts_above(
    contract: Contract, levels: Sequence[int], there: Mapping[int, int] | None
) -> Iterator[Doubt]:
    """Counts of `verification_summary` that say more than evidence shows.

    Args:
        contract: Its `path` is read again for the place of a count.
        levels: The level of each obligation.
        there: How many obligations have what leads to a level, where nothing is known to have run.
    """
    summary = contract.sections.get("verification_summary")
    for name, level in _CLAIMS.items():
        claimed = summary.get(name) if isinstance(summary, dict) else None
        shown = sum(each >= level for each in levels) if there is None else there[level]
        if isinstance(claimed, int) and claimed > shown:
            message = f"verification_summary.{name} claims {claimed}, evidence shows {shown}"
            hint = f"write {shown}, or let what shows L{level} run"
            yield Doubt(_place(contract, name), message, hint, kind="claim")


def _place(contract: Contract, key: str) -> SourceLocation:
    """Where a key of a section that is kept as plain data is written."""
    file = display_name(contract.path)
    text = (read_bytes(contract.path, ProblemLog(file)) or b"").decode("utf-8", "replace")
    found = re.search(rf"^( *){re.escape(key)}:", text, re.MULTILINE)
    if found is None:
        return SourceLocation(file, 1, 1)
    return SourceLocation(file, text.count("\n", 0, found.start()) + 1, len(found[1]) + 1)
