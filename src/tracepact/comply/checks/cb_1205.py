"""CB-1205: every obligation has a test, every contract a harness."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.project import Project
from tracepact.contracts import Contract
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1205",
    severity="warning",
    name="obligation-without-test",
    what="A contract has obligations, but no harness for one of them, or fewer tests that are "
    "there than obligations. A test that is cited twice counts once.",
    why="An obligation that nothing tries to refute is a wish.",
    bad="proof_obligations:\n  - {type: invariant, property: rows sum to 1}",
    good="proof_obligations:\n  - {type: invariant, property: rows sum to 1}\n"
    "falsification_tests:\n  - {id: F-1, rule: rows sum to 1, test: test_rows}\n"
    "kani_harnesses:\n  - {id: K-1, obligation: rows sum to 1, bound: 8, strategy: exhaustive}",
)


def _run(project: Project) -> Verdict:
    contracts = [contract for contract in project.own if contract.obligations]
    if not contracts:
        return skipped("no contract of the project has obligations")
    findings = list(_findings(project, contracts))
    weak = len({finding.contract for finding in findings})
    summary = f"{count(len(contracts), 'contract')} with obligations, {weak} not fully covered"
    return judged(summary, findings)


def _findings(project: Project, contracts: list[Contract]) -> Iterator[Finding]:
    scores = {score.stem: score for score in project.scores}
    for contract in contracts:
        place, number = contract.obligations[0].location, len(contract.obligations)
        share = scores[contract.stem].dimensions["falsification"] or 0.0
        tested = round(share * number)
        if tested < number:
            message = f"{tested} of {count(number, 'obligation')} have a test that is there"
            hint = "cite one falsification test for each"
            yield RULE.at(place, message, hint, contract=contract.stem)
        if not any(_is_about(contract, harness.obligation) for harness in contract.harnesses):
            hint = "add a harness that names the obligation it is about"
            yield RULE.at(place, "no harness for any obligation", hint, contract=contract.stem)


def _is_about(contract: Contract, name: str) -> bool:
    return any(name and name in (each.id, each.property) for each in contract.obligations)


CHECK = Check(
    rule=RULE,
    title="obligations have tests and harnesses",
    fails="",
    warns="a contract has no harness, or fewer tests than obligations",
    skips="no contract has obligations",
    run=_run,
)
