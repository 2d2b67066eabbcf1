"""Gate 1: the file is a contract, and has the parts that a contract needs."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.contracts import Contract, FalsificationTest, Harness
from tracepact.contracts.conditions import compile_conditions
from tracepact.contracts.problem_log import quoted, shortened
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Remedy, Rule
from tracepact.lint.source import LintFile

UNUSABLE = Rule(
    id="PV-VAL-001",
    severity="error",
    name="unusable-contract",
    what="The file is no contract, or lacks what every contract needs: a version, references, "
    "equations, a prediction of each falsification test, ids that are used once.",
    why="Nothing of it can be checked, or nobody can tell which statement a result belongs to.",
    bad="metadata: {description: Softmax}\nequations: {}",
    good="metadata: {version: 1.0.0, references: [Bridle 1990]}\n"
    "equations: {softmax: {formula: …}}",
)
INCOMPLETE = Rule(
    id="PV-VAL-002",
    severity="warning",
    name="incomplete-record",
    what="A falsification test without `if_fails`, a harness without `bound`, a kernel without "
    "`qa_gate`.",
    why="Whoever sees the test fail is not told where to look; a bounded proof without a bound "
    "says nothing.",
    bad="- {id: F-1, prediction: rows sum to 1}",
    good="- {id: F-1, prediction: rows sum to 1, if_fails: look at tile boundaries}",
)
IGNORED = Rule(
    id="PV-VAL-003",
    severity="warning",
    name="ignored-part",
    what="Something in the file that is not used: an unknown field or section, a value of the "
    "wrong type, a second contract of the same name.",
    why="Its author believes that it counts.",
    bad="equations: {f: {formula: y = x, postcondition: ret > 0}}",
    good="equations: {f: {formula: y = x, postconditions: [ret > 0]}}",
)
EMPTY_FORMULA = Rule(
    id="PV-VAL-004",
    severity="error",
    name="empty-formula",
    what="An equation without `formula`.",
    why="An equation that states nothing cannot be implemented or refuted.",
    bad="equations: {f: {domain: x > 0}}",
    good="equations: {f: {formula: f(x) = log(x), domain: x > 0}}",
)
EMPTY_PROPERTY = Rule(
    id="PV-VAL-005",
    severity="error",
    name="empty-property",
    what="An obligation without `property`.",
    why="Tests and harnesses name obligations by their property.",
    bad="- {type: bound, formal: ret <= 1}",
    good="- {type: bound, property: At most 1, formal: ret <= 1}",
)
DUPLICATE_FORMAL = Rule(
    id="PV-VAL-006",
    severity="warning",
    name="duplicate-formal",
    what="Two obligations about the same equations with the same `formal`.",
    why="One of them counts twice and is tested once.",
    bad="- {property: Finite, formal: all(isfinite(ret))}\n"
    "- {property: No NaN, formal: all(isfinite(ret))}",
    good="- {property: Finite, formal: all(isfinite(ret))}",
)
UNCHECKED = Rule(
    id="PV-VAL-007",
    severity="warning",
    name="unchecked-condition",
    what="A pre- or postcondition that no dialect understands.",
    why="It is never checked, and nothing says so while the program runs.",
    bad="postconditions: [every row sums to one]",
    good="postconditions: ['abs(row_sums(ret) - 1) <= tol']",
)
PROVABILITY = Rule(
    id="PV-PRV-001",
    severity="error",
    name="unprovable-kernel",
    what="A contract of kind `kernel` without obligations, without harnesses, or with fewer "
    "falsification tests than obligations.",
    why="A claim that nothing tries to refute is a comment.",
    bad="metadata: {kind: kernel}\nproof_obligations: []",
    good="proof_obligations: [{property: P}]\n"
    "falsification_tests: [{id: F-1, prediction: P}]\n"
    "kani_harnesses: [{id: K-1, obligation: P, bound: 8}]",
)


def _file(file: LintFile, project: Project) -> Iterator[Finding]:
    readable = file.held is not None and file.held.has_contract
    rule = IGNORED if readable else UNUSABLE
    for problem in file.problems:
        remedy = Remedy("replace", problem.instead) if problem.instead else None
        yield rule.at(
            problem.location, problem.message, problem.hint, contract=file.stem, remedy=remedy
        )
    first = project.first(file.stem)
    if readable and first is not None and first is not file:
        message = f"a second contract {quoted(file.stem)}"
        hint = f"the one in {first.start.file} counts; rename or remove this one"
        yield IGNORED.at(file.start, message, hint, contract=file.stem)


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    stem = contract.stem
    metadata = file.section("metadata")
    if not contract.metadata.version:
        yield UNUSABLE.at(metadata, "no version", "add metadata.version: 1.0.0", contract=stem)
    if not contract.metadata.references:
        hint = "name the sources of the formulas in metadata.references"
        yield UNUSABLE.at(metadata, "no references", hint, contract=stem)
    if not contract.equations:
        place = file.section("equations")
        yield UNUSABLE.at(place, "no equations", "state at least one formula", contract=stem)
    yield from _equations(contract)
    yield from _obligations(file, contract)
    yield from _records(file, contract)
    if contract.metadata.kind == "kernel":
        if "qa_gate" not in contract.sections:
            hint = "add qa_gate with the checks that a release must pass"
            yield INCOMPLETE.at(file.start, "no qa_gate", hint, contract=stem)
        yield from _provability(file, contract)


def _equations(contract: Contract) -> Iterator[Finding]:
    for name, equation in contract.equations.items():
        if not equation.formula:
            message = f"equation {quoted(name)} has no formula"
            yield EMPTY_FORMULA.at(
                equation.location, message, "state it", contract=contract.stem, equation=name
            )
        for problem in compile_conditions(contract, equation).problems:
            yield UNCHECKED.at(
                problem.location,
                problem.message,
                problem.hint,
                contract=contract.stem,
                equation=name,
            )


def _obligations(file: LintFile, contract: Contract) -> Iterator[Finding]:
    stated: dict[tuple[str, tuple[str, ...]], str] = {}
    for obligation in contract.obligations:
        if not obligation.property:
            message, hint = "obligation without a property", "say in words what holds"
            yield EMPTY_PROPERTY.at(obligation.location, message, hint, contract=contract.stem)
        key = "".join(obligation.formal.split()), obligation.applies_to
        if key[0] and key in stated:
            message = f"same formal statement as {quoted(stated[key])}"
            place = file.value(obligation.location, "formal")
            hint = "state what makes it different, or remove one"
            yield DUPLICATE_FORMAL.at(place, message, hint, contract=contract.stem)
        stated.setdefault(key, obligation.property)


def _records(file: LintFile, contract: Contract) -> Iterator[Finding]:
    seen: set[str] = set()
    records: list[FalsificationTest | Harness] = [*contract.falsification_tests]
    for one in [*records, *contract.harnesses]:
        if one.id and one.id in seen:
            place = file.value(one.location, "id")
            message = f"id {quoted(one.id)} is used twice"
            yield UNUSABLE.at(place, message, "give each record its own", contract=contract.stem)
        seen.add(one.id)
    for test in contract.falsification_tests:
        called = f"falsification test {shortened(test.id)}".strip()
        if _is_blank(test.prediction):
            hint = "say what would be observed if it held"
            message = f"{called} has no prediction"
            remedy = Remedy("add", "prediction: <what would be observed if it held>")
            yield UNUSABLE.at(test.location, message, hint, contract=contract.stem, remedy=remedy)
        if _is_blank(test.if_fails):
            hint = "say where to look when it fails"
            message = f"{called} has no if_fails"
            remedy = Remedy("add", "if_fails: <where to look when it fails>")
            yield INCOMPLETE.at(test.location, message, hint, contract=contract.stem, remedy=remedy)
    for harness in contract.harnesses:
        if harness.bound is None:
            message = f"harness {shortened(harness.id)} has no bound"
            hint = "say up to which size it is checked"
            remedy = Remedy("add", "bound: <largest size that is checked>")
            yield INCOMPLETE.at(
                harness.location, message, hint, contract=contract.stem, remedy=remedy
            )


def _is_blank(text: str) -> bool:
    """Whether nothing is said, or what `--suggest` left to be filled in."""
    return not text or (text.startswith("<") and text.endswith(">"))


def _provability(file: LintFile, contract: Contract) -> Iterator[Finding]:
    tests, obligations = len(contract.falsification_tests), len(contract.obligations)
    if not obligations:
        hint = "state what somebody has to show, or say metadata.kind: pattern"
        yield PROVABILITY.at(file.start, "kernel without obligations", hint, contract=contract.stem)
    if not contract.harnesses:
        place = file.section("kani_harnesses", "harnesses")
        hint = "add kani_harnesses, one for an obligation"
        yield PROVABILITY.at(place, "kernel without harnesses", hint, contract=contract.stem)
    if tests < obligations:
        place = file.section("falsification_tests", "falsification")
        message = f"{tests} falsification tests for {obligations} obligations"
        yield PROVABILITY.at(place, message, "add one for each obligation", contract=contract.stem)


GATE = Gate(
    order=1,
    summary="The file is a contract and complete; where it fails, the other gates are skipped.",
    rules=(
        UNUSABLE,
        INCOMPLETE,
        IGNORED,
        EMPTY_FORMULA,
        EMPTY_PROPERTY,
        DUPLICATE_FORMAL,
        UNCHECKED,
        PROVABILITY,
    ),
    check_file=_file,
    check=_check,
)
