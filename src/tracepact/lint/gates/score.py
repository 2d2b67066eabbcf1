"""Gate 3: a contract is worth what is asked for, and its predicates check something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracepact.contracts import Contract
from tracepact.contracts.problem_log import quoted
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile
from tracepact.score import quality, reaches

LOW_SCORE = Rule(
    id="PV-SCR-001",
    severity="error",
    name="low-score",
    what="A score below `--min-score` or `min-score` (0 by default), a number or the letter of a "
    "grade. `--source`, `--binding` and `--evidence` count as they do for `tracepact score`.",
    why="The project decided that contracts below it are not worth relying on.",
    bad="metadata: {version: 1.0.0, references: [r]}\nequations: {f: {formula: y = x}}",
    good="the same with obligations, and a test and a harness for each",
)
NO_SUBSTANCE = Rule(
    id="PV-SCR-002",
    severity="warning",
    name="placeholder-only",
    what="An equation whose predicates are all placeholders, or an obligation whose `formal` is "
    "one: it only asks whether something is there (`len(x) > 0`), names no field, or is the same "
    "in more than half of the equations, and in at least five.",
    why="It looks checked, and no wrong result can violate it.",
    bad="f: {formula: y = sqrt(x), preconditions: ['len(x) > 0']}",
    good="f: {formula: y = sqrt(x), preconditions: ['all(x >= 0)']}",
)
PLACEHOLDER = Rule(
    id="PV-SCR-003",
    severity="info",
    name="placeholder",
    what="A placeholder beside predicates that check something.",
    why="It makes an equation look more checked than it is.",
    bad="preconditions: ['all(x >= 0)', 'len(x) > 0']",
    good="preconditions: ['all(x >= 0)']",
)
WEAK_DIMENSION = Rule(
    id="PV-SCR-004",
    severity="info",
    name="weak-contract",
    what="A contract of grade D or F, where no `min-score` is missed; says what raises it most.",
    why="A contract that nothing tests is a comment.",
    bad="equations: {f: {formula: y = x}}",
    good="the same with obligations, and a test and a harness for each",
)

_WEAK: Final = ("D", "F")


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    score = project.score(contract)
    stem = contract.stem
    said = f"score {score.total:.2f} ({score.grade})"
    best = score.advice[0] if score.advice else None
    hint = f"+{best.gain:.2f} {best.dimension}: {best.text}" if best else ""
    if not reaches(score.total, project.min_score):
        message = f"{said} is below {project.min_score:.2f}"
        yield LOW_SCORE.at(file.start, message, hint, contract=stem)
    elif score.grade in _WEAK:
        yield WEAK_DIMENSION.at(file.start, said, hint, contract=stem)
    for one in score.findings:
        if one.kind == "placeholder":
            yield NO_SUBSTANCE.at(one.location, one.message, one.hint, contract=stem)
    places = frozenset(one.location for one in score.placeholders)
    for name, equation in contract.equations.items():
        own = [each for each in score.placeholders if each.equation == name]
        if own and quality(equation, places) < 0.5:
            message = f"nothing checks equation {quoted(name)}: {own[0].text} {own[0].reason}"
            hint = "add predicates that a wrong result violates"
            yield NO_SUBSTANCE.at(own[0].location, message, hint, contract=stem, equation=name)
        else:
            for each in own:
                message = f"placeholder: {each.text} {each.reason}"
                hint = "remove it, or say what the value has to be"
                yield PLACEHOLDER.at(each.location, message, hint, contract=stem, equation=name)


GATE = Gate(
    order=3,
    summary="A contract is worth what is asked for (`--min-score`), and its predicates check "
    "something.",
    rules=(LOW_SCORE, NO_SUBSTANCE, PLACEHOLDER, WEAK_DIMENSION),
    check=_check,
)
