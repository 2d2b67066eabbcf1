"""Gate 2: equations, obligations, tests and harnesses refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracepact.contracts import Contract
from tracepact.contracts.problem_log import did_you_mean, nearest, quoted, shortened
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Remedy, Rule
from tracepact.lint.source import LintFile

NO_TESTS = Rule(
    id="PV-AUD-001",
    severity="warning",
    name="no-falsification-tests",
    what="A contract without falsification tests; for a kernel it is PV-PRV-001 already.",
    why="Nothing tries to refute it.",
    bad="falsification_tests: []",
    good="falsification_tests: [{id: F-1, prediction: a NaN is reported}]",
)
EMPTY_HARNESS = Rule(
    id="PV-AUD-002",
    severity="error",
    name="harness-without-obligation",
    what="A harness that names no obligation.",
    why="Nobody can say what its success shows.",
    bad="- {id: K-1, bound: 8}",
    good="- {id: K-1, obligation: Output sums to 1, bound: 8}",
)
NO_OBLIGATIONS = Rule(
    id="PV-AUD-003",
    severity="warning",
    name="no-obligations",
    what="Equations, but no obligation; for a kernel it is PV-PRV-001 already.",
    why="Formulas alone say nothing that a test could refute.",
    bad="equations: {f: {formula: y = x}}",
    good="equations: {f: {formula: y = x}}\nproof_obligations: [{property: Output equals input}]",
)
UNKNOWN_OBLIGATION = Rule(
    id="PV-AUD-004",
    severity="warning",
    name="unknown-obligation",
    what="A harness names an obligation that the contract has under neither its id nor its "
    "property.",
    why="The obligation was renamed or removed, and the harness shows something else.",
    bad="- {id: K-1, obligation: Sums to one, bound: 8}",
    good="- {id: K-1, obligation: Output sums to 1, bound: 8}",
)
UNKNOWN_EQUATION = Rule(
    id="PV-AUD-005",
    severity="warning",
    name="unknown-equation",
    what="`applies_to` of an obligation names no equation of the contract, nor `all`, nor a "
    "section of `simd_dispatch` (`simd`).",
    why="The obligation covers nothing.",
    bad="- {property: Output sums to 1, applies_to: sofmax}",
    good="- {property: Output sums to 1, applies_to: softmax}",
)


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    stem = contract.stem
    if not contract.falsification_tests:
        hint = "add a prediction and the test that tries to refute it"
        yield NO_TESTS.at(file.start, "no falsification tests", hint, contract=stem)
    if contract.equations and not contract.obligations:
        place = file.section("equations")
        yield NO_OBLIGATIONS.at(
            place, "equations, but no obligations", "state what must hold of them", contract=stem
        )
    known = {name for o in contract.obligations for name in (o.id, o.property) if name}
    for harness in contract.harnesses:
        called = f"harness {shortened(harness.id)}".strip()
        if not harness.obligation:
            message, hint = f"{called} names no obligation", "add the property that it shows"
            yield EMPTY_HARNESS.at(harness.location, message, hint, contract=stem)
        elif harness.obligation not in known:
            place = file.value(harness.location, "obligation")
            message = f"{called} is about {quoted(harness.obligation)}, which is no obligation here"
            hint, remedy = (
                did_you_mean(harness.obligation, known),
                _instead(harness.obligation, known),
            )
            yield UNKNOWN_OBLIGATION.at(place, message, hint, contract=stem, remedy=remedy)
    for obligation in contract.obligations:
        for name in obligation.applies_to:
            if name not in contract.equations and name not in ("all", "simd"):
                place = file.listed(obligation.location, name, "applies_to", "equation")
                message = f"applies to {quoted(name)}, which is no equation here"
                names = [*contract.equations, "all"]
                hint, remedy = did_you_mean(name, names), _instead(name, names)
                yield UNKNOWN_EQUATION.at(place, message, hint, contract=stem, remedy=remedy)


def _instead(name: str, known: Iterable[str]) -> Remedy | None:
    near = nearest(name, known)
    return Remedy("replace", near) if near else None


GATE = Gate(
    order=2,
    summary="Equations, obligations, tests and harnesses refer to each other.",
    rules=(NO_TESTS, EMPTY_HARNESS, NO_OBLIGATIONS, UNKNOWN_OBLIGATION, UNKNOWN_EQUATION),
    check=_check,
)
