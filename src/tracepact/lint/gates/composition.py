"""Gate 8: the contracts that a contract builds on exist, and do not build on it."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.contracts import Contract
from tracepact.contracts.problem_log import quoted
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile

UNKNOWN_DEPENDENCY = Rule(
    id="COMPOSITION-002",
    severity="warning",
    name="unknown-dependency",
    what="`depends_on` names a contract that is neither in this run, nor beside the file, nor "
    "shipped with tracepact.",
    why="What is assumed of it, nothing guarantees.",
    bad="metadata: {depends_on: [sofmax-kernel-v1]}",
    good="metadata: {depends_on: [softmax-kernel-v1]}",
)
CYCLE = Rule(
    id="COMPOSITION-003",
    severity="warning",
    name="circular-dependency",
    what="A contract depends on itself, directly or through others.",
    why="Each may assume what the other was to guarantee, and nothing is left to prove.",
    bad="metadata: {depends_on: [this-v1]}  # in this-v1.yaml",
    good="metadata: {depends_on: [base-v1]}",
)


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    for index, stem in enumerate(contract.metadata.depends_on):
        path = _way_back(contract, stem, file, project)
        if project.contract(stem, file.path) is None:
            place = file.item("metadata", "depends_on", index)
            message = f"depends on {quoted(stem)}, which is not there"
            hint = "correct the name, or lint the folder that has it too"
            yield UNKNOWN_DEPENDENCY.at(place, message, hint, contract=contract.stem)
        elif path:
            place = file.item("metadata", "depends_on", index)
            message = f"depends on itself: {' → '.join((contract.stem, *path))}"
            yield CYCLE.at(place, message, "remove one of these", contract=contract.stem)


def _way_back(contract: Contract, start: str, file: LintFile, project: Project) -> list[str]:
    """Stems from one dependency back to the contract; empty where there is no way."""
    pending, seen = [[start]], {start}
    while pending:
        path = pending.pop(0)
        if path[-1] == contract.stem:
            return path
        found = project.contract(path[-1], file.path)
        for stem in () if found is None else found.metadata.depends_on:
            if stem not in seen:
                seen.add(stem)
                pending.append([*path, stem])
    return []


GATE = Gate(
    order=8,
    summary="The contracts that a contract builds on exist, and do not build on it; advisory.",
    rules=(UNKNOWN_DEPENDENCY, CYCLE),
    check=_check,
)
