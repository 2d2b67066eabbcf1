"""Gate 6: a kernel reaches the level that it claims, is locked at, or is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracepact.contracts import Contract
from tracepact.contracts.model import ENFORCEMENT_LEVELS
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile

BELOW_LEVEL = Rule(
    id="PV-ENF-003",
    severity="warning",
    name="below-level",
    what="A kernel below `metadata.enforcement_level` (`standard` where it names none); an error "
    "below `--min-level`. `basic`: falsification tests. `standard`: a test and a harness for "
    "each obligation. `strict`: pre- and postconditions of every equation. `proven`: a theorem "
    "of every obligation. Each level asks for those before it.",
    why="Others rely on the level that a contract claims.",
    bad="metadata: {enforcement_level: strict}\nequations: {f: {formula: y = x}}",
    good="metadata: {enforcement_level: basic}\nequations: {f: {formula: y = x}}",
)
BELOW_LOCK = Rule(
    id="PV-LCK-001",
    severity="error",
    name="broken-lock",
    what="A kernel below `metadata.locked_level`.",
    why="The lock was set so that nobody weakens the contract by accident.",
    bad="metadata: {locked_level: standard}\nkani_harnesses: [one for two obligations]",
    good="metadata: {locked_level: standard}\nkani_harnesses: [one for each obligation]",
)

_DEFAULT: Final = "standard"


def missing_for(contract: Contract) -> dict[str, str]:
    """What a contract lacks, by the first level that asks for it; empty at `proven`."""
    obligations = contract.obligations
    shown = {harness.obligation for harness in contract.harnesses}
    missing = {}
    if not contract.falsification_tests:
        missing["basic"] = "falsification tests"
    without = [o for o in obligations if not {o.id, o.property} & shown - {""}]
    if not obligations or without or len(contract.falsification_tests) < len(obligations):
        missing["standard"] = "a test and a harness for each obligation"
    if any(not (e.preconditions and e.postconditions) for e in contract.equations.values()):
        missing["strict"] = "pre- and postconditions of every equation"
    if any((o.lean or {}).get("status", "") != "proved" for o in obligations):
        missing["proven"] = "a proved theorem of every obligation"
    return missing


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    if contract.metadata.kind != "kernel":
        return
    missing = missing_for(contract)

    def below(level: str) -> str:
        rank = ENFORCEMENT_LEVELS.index(level) + 1
        lacks = [missing[one] for one in ENFORCEMENT_LEVELS[:rank] if one in missing]
        return f"add {'; '.join(lacks)}" if lacks else ""

    metadata = contract.metadata
    claimed = metadata.enforcement_level or _DEFAULT
    if metadata.locked_level and (hint := below(metadata.locked_level)):
        place = file.entry("metadata", "locked_level")
        message = f"below the locked level {metadata.locked_level}"
        yield BELOW_LOCK.at(place, message, hint, contract=contract.stem)
    if project.min_level and (hint := below(project.min_level)):
        message = f"below the level {project.min_level}, which this run asks for"
        yield BELOW_LEVEL.at(file.start, message, hint, contract=contract.stem, severity="error")
    elif hint := below(claimed):
        word = "claims" if metadata.enforcement_level else "has where it names none"
        place = file.entry("metadata", "enforcement_level")
        message = f"below the level {claimed}, which it {word}"
        yield BELOW_LEVEL.at(place, message, hint, contract=contract.stem)


GATE = Gate(
    order=6,
    summary="A kernel reaches the level that it claims, is locked at, or is asked for.",
    rules=(BELOW_LEVEL, BELOW_LOCK),
    check=_check,
)
