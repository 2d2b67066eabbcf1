"""Gate 5: the equations of kernels have conditions that can be enforced."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.contracts import Contract
from tracepact.contracts.problem_log import quoted
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile

NO_CONDITIONS = Rule(
    id="PV-ENF-001",
    severity="warning",
    name="unenforced-equation",
    what="An equation of a kernel without preconditions or without postconditions.",
    why="Without postconditions nothing is checked; without preconditions a wrong input is "
    "blamed on the function.",
    bad="sqrt: {formula: y = sqrt(x), postconditions: [ret >= 0]}",
    good="sqrt: {formula: y = sqrt(x), preconditions: [x >= 0], postconditions: [ret >= 0]}",
)
NO_THEOREM = Rule(
    id="PV-ENF-002",
    severity="warning",
    name="missing-theorem",
    what="An equation without `lean_theorem` in a contract that has theorems for others, or that "
    "claims the level `proven`.",
    why="The contract looks proved, and this part of it is not.",
    bad="f: {formula: y = x, lean_theorem: F.id}\ng: {formula: y = 2 x}",
    good="f: {formula: y = x, lean_theorem: F.id}\ng: {formula: y = 2 x, lean_theorem: G.double}",
)


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    if contract.metadata.kind != "kernel":
        return
    proven = "proven" in (contract.metadata.enforcement_level, project.min_level)
    proven = proven or any(one.lean_theorem for one in contract.equations.values())
    for name, equation in contract.equations.items():
        absent = []
        if not equation.preconditions:
            absent.append("preconditions")
        if not equation.postconditions:
            absent.append("postconditions")
        if absent:
            message = f"equation {quoted(name)} has no {' and no '.join(absent)}"
            hint = f"add equations.{name}.{absent[0]} as predicates over its fields"
            yield NO_CONDITIONS.at(
                equation.location, message, hint, contract=contract.stem, equation=name
            )
        if proven and not equation.lean_theorem:
            yield NO_THEOREM.at(
                equation.location,
                f"equation {quoted(name)} has no theorem",
                "name it as lean_theorem, or claim less",
                contract=contract.stem,
                equation=name,
            )


GATE = Gate(
    order=5,
    summary="The equations of kernels have conditions that can be enforced.",
    rules=(NO_CONDITIONS, NO_THEOREM),
    check=_check,
)
