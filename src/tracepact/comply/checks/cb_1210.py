"""CB-1210: preconditions differ, as the equations do."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, percent, skipped
from tracepact.comply.project import Project
from tracepact.contracts import Contract, Equation
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1210",
    severity="error",
    name="copied-preconditions",
    what="Few preconditions differ from one another, or too many equations have nothing but "
    "placeholders such as `len(x) > 0`. All placeholders together count as one precondition.",
    why="Generated conditions look like coverage and reject no wrong input.",
    bad='preconditions: ["len(input) > 0"]',
    good='preconditions: ["all(isfinite(x))", "shape(gate) == shape(up)"]',
)


def _run(project: Project) -> Verdict:
    equations = [(c, each) for c in project.own for each in c.equations.values()]
    stated = [(c, each) for c, each in equations if each.preconditions or each.postconditions]
    clauses = [clause for _, each in equations for clause in each.preconditions]
    if not clauses:
        return skipped("no contract of the project has preconditions")
    hollow = {placeholder.location for placeholder in project.placeholders}
    only = [
        (contract, each)
        for contract, each in stated
        if all(clause.location in hollow for clause in (*each.preconditions, *each.postconditions))
    ]
    texts = {"".join(clause.text.split()) for clause in clauses if clause.location not in hollow}
    different = len(texts) + any(clause.location in hollow for clause in clauses)
    diversity = percent(different, len(clauses))
    summary = (
        f"{different} of {count(len(clauses), 'precondition')} differ, "
        f"{len(only)} of {count(len(stated), 'equation')} placeholder-only"
    )
    return judged(summary, _findings(project, diversity, only, len(stated)))


def _findings(
    project: Project, diversity: float, only: list[tuple[Contract, Equation]], stated: int
) -> Iterator[Finding]:
    least = project.threshold("min-diversity-percent")
    if diversity < least:
        message = f"{diversity:.0f} % of the preconditions differ, {least:g} % asked for"
        yield RULE.at(project.place, message, "write what each equation really needs")
    most = project.threshold("max-placeholder-only-percent")
    share = percent(len(only), stated)
    if share > most:
        for contract, equation in only:
            yield RULE.at(
                equation.location,
                f"{equation.name} has only placeholders, as {share:.0f} % of the equations have",
                f"write a condition that a wrong value breaks; at most {most:g} % may lack one",
                contract=contract.stem,
                equation=equation.name,
            )


CHECK = Check(
    rule=RULE,
    title="preconditions differ",
    fails="less than `min-diversity-percent` differ, or more than "
    "`max-placeholder-only-percent` of the equations with conditions have only placeholders",
    warns="",
    skips="there are no preconditions",
    run=_run,
)
