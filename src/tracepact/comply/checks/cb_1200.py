"""CB-1200: the contracts pass lint and are worth something."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.project import Project
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1200",
    severity="error",
    name="weak-contracts",
    what="Lint finds errors in the contracts of the project, their mean score is low, or functions "
    "that they are bound to are still missing.",
    why="A contract that is broken or says little passes every other check without protecting "
    "anything.",
    bad="equations: {softmax: {domain: x}}",
    good="equations: {softmax: {formula: exp(x_i) / sum_j exp(x_j), domain: x}}",
)


def _run(project: Project) -> Verdict:
    if not project.files:
        return skipped("no contracts of its own: no folder `contracts` up to three folders deep")
    errors = project.linted.counts["error"]
    scores = [score.total for score in project.scores]
    mean = math.fsum(scores) / len(scores) if scores else 0.0
    summary = (
        f"{count(len(project.files), 'contract')}, {count(errors, 'lint error')}, score {mean:.2f}"
    )
    return judged(summary, _findings(project, mean))


def _findings(project: Project, mean: float) -> Iterator[Finding]:
    for each in project.linted.open:
        if each.severity == "error":
            yield RULE.at(
                each.location,
                f"{each.rule.id} {each.message}",
                each.hint,
                contract=each.contract,
                equation=each.equation,
            )
    least = project.threshold("min-score")
    if project.scores and mean < least:
        worst = min(project.scores, key=lambda score: score.total)
        hint = f"begin with {worst.stem}, {worst.total:.2f}"
        if worst.advice:
            hint += f": {worst.advice[0].text}"
        message = f"the mean score of the contracts is {mean:.2f}, below {least:g}"
        yield RULE.at(project.place, message, hint, severity="warning")
    for entry in project.bindings.entries:
        if entry.status == "not_implemented":
            yield RULE.at(
                entry.location,
                f"{entry.qualname} is not implemented",
                "write it, or remove the entry",
                contract=entry.contract,
                equation=entry.equation,
                severity="warning",
            )


CHECK = Check(
    rule=RULE,
    title="contracts are sound",
    fails="lint finds an error (cited tests are CB-1201, coverage is CB-1202)",
    warns="the mean score is below `min-score`, or a binding says `not_implemented`",
    skips="the project has no contracts of its own",
    run=_run,
)
