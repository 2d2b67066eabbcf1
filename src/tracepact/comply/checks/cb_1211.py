"""CB-1211: most predicates check something."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, percent, skipped
from tracepact.comply.project import Project
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1211",
    severity="error",
    name="mostly-placeholders",
    what="Most predicates only ask whether something is there, or were pasted into every equation.",
    why="Checks that cannot fail are paid for at run time and find nothing.",
    bad='preconditions: ["len(input) > 0"]\npostconditions: ["len(ret) > 0"]',
    good='preconditions: ["all(isfinite(x))"]\npostconditions: ["abs(row_sums(ret) - 1) <= tol"]',
)


def _run(project: Project) -> Verdict:
    total = sum(
        len(equation.preconditions) + len(equation.postconditions)
        for contract in project.own
        for equation in contract.equations.values()
    )
    if not total:
        return skipped("no contract of the project has predicates")
    hollow = len(project.placeholders)
    summary = f"{hollow} of {count(total, 'predicate')} are placeholders"
    too_many = percent(hollow, total) > project.threshold("max-placeholders-percent")
    return judged(summary, _findings(project, percent(hollow, total)) if too_many else ())


def _findings(project: Project, share: float) -> Iterator[Finding]:
    for each in project.placeholders:
        yield RULE.at(
            each.location,
            f"placeholder, as {share:.0f} % of the predicates are: {each.reason}",
            "say what the equation needs or guarantees, or remove it",
            contract=each.contract,
            equation=each.equation,
        )


CHECK = Check(
    rule=RULE,
    title="predicates check something",
    fails="more than `max-placeholders-percent` of the predicates are placeholders",
    warns="",
    skips="there are no predicates",
    run=_run,
)
