"""Gate 4: what a contract cites and claims is there, and did not fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracepact.contracts import Contract
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile
from tracepact.score import citations

MISSING_TEST = Rule(
    id="PV-VER-001",
    severity="error",
    name="missing-test",
    what="`test` of a falsification test, or `harness`, cites `file.py::test_name` or a "
    "`test_…`/`prop_…` that the sources do not define, or a case `test_name[case]` of a test that "
    "takes no parameters. A name with `gpu` or `cuda` is a warning: its test may live elsewhere. "
    "Prose is left alone.",
    why="The claim looks tested and is not.",
    bad="- {id: F-1, prediction: P, test: test_that_was_renamed}",
    good="- {id: F-1, prediction: P, test: 'tests/test_softmax.py::test_rows_sum_to_1'}",
)
EMPTY_TEST = Rule(
    id="PV-VER-002",
    severity="warning",
    name="empty-test",
    what="A cited test that is there and tests nothing: its body is empty, refuses, or asserts "
    "constants, or a mark always skips it.",
    why="It cannot fail, whatever the function does.",
    bad="def test_rows_sum_to_1(): ...",
    good="def test_rows_sum_to_1():\n    assert abs(softmax(x).sum() - 1) < 1e-6",
)
UNREAD_SOURCE = Rule(
    id="PV-VER-003",
    severity="warning",
    name="unread-source",
    what="A source file that cannot be read, or is no Python.",
    why="Tests and functions in it are taken for absent.",
    bad="def test_rows_sum_to_1(:",
    good="def test_rows_sum_to_1():",
)
CLAIM_ABOVE = Rule(
    id="PV-PRV-002",
    severity="warning",
    name="claim-above-evidence",
    what="`verification_summary` counts more tested, bounded or proved obligations than evidence "
    "shows; or a binding claims a function that is not in the sources or does nothing.",
    why="Counts are read by people who will not look for the tests.",
    bad="verification_summary: {l2_property_tested: 3}  # and one test",
    good="verification_summary: {l2_property_tested: 1}",
)
ABSENT_THEOREM = Rule(
    id="PV-PRV-003",
    severity="warning",
    name="absent-theorem",
    what="A theorem with `status: proved`, of which the sources have no proof: no `theorem` or "
    "`lemma` of that name in a `.lean` file, or one with `sorry`.",
    why="Nobody can repeat the proof.",
    bad="lean: {theorem: Softmax.sum_one, status: proved}",
    good="lean: {theorem: Softmax.sum_one, status: sorry}",
)
REFUTED = Rule(
    id="PV-PRV-004",
    severity="error",
    name="refuted-claim",
    what="A cited test, a generated property test or a bounded proof failed when it last ran "
    "(`--evidence`), and nothing that it rests on has changed since.",
    why="The function does not fulfil its contract, or the contract is wrong.",
    bad='{"test": "tests/test_softmax.py::test_rows", "outcome": "failed", …}',
    good='{"test": "tests/test_softmax.py::test_rows", "outcome": "passed", …}',
)

_BY_KIND: Final = {"claim": CLAIM_ABOVE, "theorem": ABSENT_THEOREM, "failed": REFUTED}


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    cited = [(one.location, "test", one.test) for one in contract.falsification_tests]
    cited += [(one.location, "harness", one.harness) for one in contract.harnesses]
    sources = project.cited()
    for record, field, text in cited if project.sources else ():
        for citation in citations(text):
            fault = sources.fault(citation)
            # Other names, such as `verify_…`, are of provers whose sources may not be here.
            if fault is None or not (citation.file or citation.name.startswith(("test_", "prop_"))):
                continue
            elsewhere = any(word in citation.name.lower() for word in ("gpu", "cuda"))
            yield (EMPTY_TEST if fault.kind == "empty" else MISSING_TEST).at(
                file.value(record, field),
                f"cites {citation}, {fault.message}",
                fault.hint,
                contract=contract.stem,
                severity="warning" if elsewhere else None,
            )
    for one in project.score(contract).findings:
        if one.kind in _BY_KIND and one.location.file == file.start.file:
            yield _BY_KIND[one.kind].at(one.location, one.message, one.hint, contract=contract.stem)


def _check_project(project: Project) -> Iterator[Finding]:
    unread = [*project.cited().problems, *(project.functions()[1] if project.bindings else ())]
    for problem in dict.fromkeys(unread):
        yield UNREAD_SOURCE.at(problem.location, problem.message, problem.hint)
    if project.bindings is not None and project.sources:
        for file in project.files:
            for one in project.score(file.contract).findings if file.contract else ():
                if one.kind == "claim" and one.location.file == project.bindings.source:
                    yield CLAIM_ABOVE.at(one.location, one.message, one.hint, contract=file.stem)


def _skipped(project: Project) -> str:
    return "" if project.sources or project.ran.known else "no --source and no --evidence"


GATE = Gate(
    order=4,
    summary="Every test that a contract cites exists (`--source`) and did not fail (`--evidence`), "
    "and nothing is claimed above the evidence.",
    rules=(MISSING_TEST, EMPTY_TEST, UNREAD_SOURCE, CLAIM_ABOVE, ABSENT_THEOREM, REFUTED),
    check=_check,
    check_project=_check_project,
    skipped=_skipped,
)
