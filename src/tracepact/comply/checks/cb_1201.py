"""CB-1201: the tests that contracts cite are there."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.project import Project
from tracepact.contracts import Contract, FalsificationTest
from tracepact.evidence import Outcome
from tracepact.lint.rule import Finding, Rule, Severity
from tracepact.score import citations
from tracepact.score.ran import outcome_of

RULE = Rule(
    id="CB-1201",
    severity="error",
    name="cited-test-missing",
    what="A falsification test of a contract cites a test that is not in the project, that does "
    "nothing, or that failed when it ran last.",
    why="The contract claims to be tested and is not.",
    bad="falsification_tests:\n  - {id: F-1, prediction: rows sum to 1, test: test_nobody_wrote}",
    good="falsification_tests:\n  - {id: F-1, prediction: rows sum to 1, test: "
    "tests/test_softmax.py::test_rows_sum_to_1}",
)


def _run(project: Project) -> Verdict:
    tests = [(contract, test) for contract in project.own for test in contract.falsification_tests]
    if not tests:
        return skipped("the contracts of the project have no falsification tests")
    passed = sum(_outcome(project, *each) == "passed" for each in tests)
    summary = f"{count(len(tests), 'falsification test')}, {passed} passed when last run"
    return judged(summary, _findings(project, tests))


def _findings(
    project: Project, tests: list[tuple[Contract, FalsificationTest]]
) -> Iterator[Finding]:
    for contract, test in tests:
        wrong = list(_wrong(project, test))
        if _outcome(project, contract, test) == "failed":
            wrong.append((f"test {test.id} failed when it ran last", test.if_fails.strip()))
        for message, hint in wrong:
            yield RULE.at(test.location, message, hint, contract=contract.stem)
    errors = project.linted.counts["error"]
    if errors:
        message = f"lint finds {count(errors, 'error')} in the contracts"
        severity: Severity = "error" if project.settings.lint_fails else "warning"
        yield RULE.at(project.place, message, "see CB-1200", severity=severity)


def _wrong(project: Project, test: FalsificationTest) -> Iterator[tuple[str, str]]:
    cited = citations(test.test)
    if not cited:
        yield f"test {test.id} cites no test", "write it as path/test_file.py::test_name"
    for citation in cited:
        fault = project.sources.fault(citation)
        if fault is not None:
            yield f"test {test.id} cites {citation}, {fault.message}", fault.hint


def _outcome(project: Project, contract: Contract, test: FalsificationTest) -> Outcome | None:
    return outcome_of(project.ran.test(contract.stem, test.id, citations(test.test)))


CHECK = Check(
    rule=RULE,
    title="cited tests are there",
    fails="a cited test is missing, empty, or failed in the evidence",
    warns="lint finds errors (with `lint-fails = true` it fails)",
    skips="no contract has falsification tests",
    run=_run,
)
