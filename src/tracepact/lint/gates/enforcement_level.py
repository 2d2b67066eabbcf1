"""Gate 6: a kernel reaches the level that it claims, is locked at, or is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracepact.contracts import Contract
from tracepact.contracts.model import ENFORCEMENT_LEVELS
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile
from tracepact.score import ContractScore

BELOW_LEVEL = Rule(
    id="PV-ENF-003",
    severity="warning",
    name="below-level",
    what="A kernel below `metadata.enforcement_level`, as `--evidence` shows it; an error below "
    "`--min-level`. `basic`: a falsification test passed. `standard`: for each obligation a test "
    "and a bounded proof. `strict`: pre- and postconditions of every equation, and not only "
    "placeholders. `proven`: a theorem of every obligation. Each level asks for those before it. "
    "A kernel that names no level has to be `standard` by what is written (or, with `--source`, is "
    "there); so does a lock as long as nothing of it ran.",
    why="Others rely on the level that a contract claims.",
    bad="metadata: {enforcement_level: strict}\nequations: {f: {formula: y = x}}",
    good="metadata: {enforcement_level: basic}  # and its falsification test passed",
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
_TESTED: Final = 2
_BOUNDED: Final = 4
"""Rungs of the ladder."""


def missing_for(contract: Contract, score: ContractScore, *, ran: bool) -> dict[str, str]:
    """What a contract lacks, by the first level that asks for it; empty at `proven`.

    Args:
        contract: A kernel.
        score: What it is worth.
        ran: Whether only what ran and passed counts.
    """
    standing = score.standing
    obligations = len(contract.obligations)
    if ran:
        tests = any(level >= _TESTED for level in standing.levels)
        shown = sum(level >= _BOUNDED for level in standing.levels)
        passed = " that passed"
    else:
        tests = standing.has_tests
        shown = sum(map(bool, standing.bounded))
        passed = ""
    missing = {}
    if not tests:
        missing["basic"] = f"a falsification test{passed}"
    if not obligations or min(shown, sum(standing.tested)) < obligations:
        missing["standard"] = f"a test and a harness{passed} for each obligation"
    if score.checks < 1:
        missing["strict"] = "pre- and postconditions of every equation"
    if not all(standing.proved):
        missing["proven"] = "a proved theorem of every obligation"
    return missing


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    metadata = contract.metadata
    if metadata.kind != "kernel":
        return
    score = project.score(contract)

    def below(level: str, *, ran: bool) -> str:
        missing = missing_for(contract, score, ran=ran)
        rank = ENFORCEMENT_LEVELS.index(level) + 1
        lacks = [missing[one] for one in ENFORCEMENT_LEVELS[:rank] if one in missing]
        if not lacks:
            return ""
        run = "" if score.standing.ran or not ran else "; nothing of it ran, or --evidence is old"
        return f"add {'; '.join(lacks)}{run}"

    ran = score.standing.ran
    claimed = metadata.enforcement_level
    if metadata.locked_level and (hint := below(metadata.locked_level, ran=ran)):
        place = file.entry("metadata", "locked_level")
        message = f"below the locked level {metadata.locked_level}"
        yield BELOW_LOCK.at(place, message, hint, contract=contract.stem)
    if project.min_level and (hint := below(project.min_level, ran=True)):
        message = f"below the level {project.min_level}, which this run asks for"
        yield BELOW_LEVEL.at(file.start, message, hint, contract=contract.stem, severity="error")
    elif hint := below(claimed or _DEFAULT, ran=bool(claimed)):
        word = "claims" if claimed else "has where it names none"
        place = file.entry("metadata", "enforcement_level")
        message = f"below the level {claimed or _DEFAULT}, which it {word}"
        yield BELOW_LEVEL.at(place, message, hint, contract=contract.stem)


GATE = Gate(
    order=6,
    summary="A kernel reaches the level that it claims, is locked at, or is asked for.",
    rules=(BELOW_LEVEL, BELOW_LOCK),
    check=_check,
)
