"""CB-1203: functions that implement an equation carry its contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tracepact.bindings import Binding
from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.project import Project
from tracepact.contracts import Problem
from tracepact.enforce.static import check_sources, implements
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1203",
    severity="error",
    name="undecorated-implementation",
    what="A function that is bound to an equation with conditions, or has its name and its "
    "fields, is not decorated with that contract; or a decorator names what is not there.",
    why="The conditions are written down, and nothing ever looks at them.",
    bad="def softmax(x): ...\n\n",
    good="import tracepact as tp\n\n\n"
    '@tp.contract("softmax-kernel-v1", "softmax")\ndef softmax(x): ...',
    language="python",
)


def _run(project: Project) -> Verdict:
    bound = {(entry.module_path, entry.function) for entry in _owed(project)}
    looked_at = [
        function
        for key, function in project.by_name.items()
        if function.decorations or key in bound or implements(function, project.registry)
    ]
    if not looked_at and not project.unread:
        return skipped("no function implements an equation that has conditions")
    wrong = list(_problems(project))
    summary = f"{count(len(looked_at), 'function')} with an equation, {len(wrong)} not under it"
    return judged(summary, [*_findings(wrong), *_unread(project)])


def _problems(project: Project) -> Iterator[Problem]:
    bindings = replace(project.bindings, entries=tuple(_owed(project)))
    # What a binding claims and is not there is CB-1208's.
    entries = {entry.location for entry in bindings.entries}
    for problem in check_sources(project.functions, bindings, project.registry):
        if problem.location not in entries:
            yield problem


def _findings(problems: list[Problem]) -> Iterator[Finding]:
    for problem in problems:
        yield RULE.at(problem.location, problem.message, problem.hint)


def _unread(project: Project) -> Iterator[Finding]:
    for problem in project.unread:
        yield RULE.at(problem.location, problem.message, problem.hint, severity="warning")


def _owed(project: Project) -> list[Binding]:
    """Bindings of equations that have conditions."""
    found = []
    for entry in project.claims:
        contract = project.registry.contracts.get(entry.contract)
        equation = contract and contract.equations.get(entry.equation)
        if equation and (equation.preconditions or equation.postconditions):
            found.append(entry)
    return found


CHECK = Check(
    rule=RULE,
    title="implementations are decorated",
    fails="one such function is not decorated, or a decorator is wrong",
    warns="a source cannot be read, so that nobody knows what is in it",
    skips="no function implements an equation",
    run=_run,
)
