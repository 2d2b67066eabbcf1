"""CB-1208: bound functions exist."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.bindings import Binding
from tracepact.comply.check import Check, Verdict, count, judged, percent, skipped
from tracepact.comply.checks.cb_1204 import build_hook, interface_tests
from tracepact.comply.project import Project
from tracepact.lint.rule import Finding, Rule, Severity

RULE = Rule(
    id="CB-1208",
    severity="error",
    name="bound-function-missing",
    what="A binding says implemented or partial of a function that no source defines, or whose "
    "body does nothing; or it names a contract or an equation that is not there.",
    why="The binding file says that the code is further than it is.",
    bad="- {contract: softmax-kernel-v1, equation: softmax, module_path: kernels, function: gone, "
    "status: implemented}",
    good="- {contract: softmax-kernel-v1, equation: softmax, module_path: kernels, "
    "function: softmax, status: implemented}",
)

_LEVELS = ("checked at run time only", "checked by {}", "checked by {} and interface tests")


def _run(project: Project) -> Verdict:
    if not project.bindings.entries and not project.bindings.problems:
        return skipped("no binding file, or no entry in it; write one with `tracepact bind`")
    wrong = [(entry, *why) for entry in project.claims if (why := _wrong(project, entry))]
    there = len(project.claims) - len(wrong)
    hook, tests = build_hook(project.folder), interface_tests(project)
    level = _LEVELS[bool(hook) + bool(hook and tests)]
    if tests and not hook:
        level, hook = _LEVELS[1], "interface tests"
    summary = (
        f"{there} of {count(len(project.claims), 'bound function')} there, {level.format(hook)}"
    )
    enough = percent(there, len(project.claims)) >= project.threshold("min-existing-percent")
    return judged(summary, _findings(project, wrong, "warning" if enough else "error"))


def _findings(
    project: Project, wrong: list[tuple[Binding, str, str]], severity: Severity
) -> Iterator[Finding]:
    for problem in project.bindings.problems:
        yield RULE.at(problem.location, problem.message, problem.hint, severity="warning")
    for entry, message, hint in wrong:
        yield RULE.at(
            entry.location,
            message,
            hint,
            contract=entry.contract,
            equation=entry.equation,
            severity=severity,
        )


def _wrong(project: Project, entry: Binding) -> tuple[str, str] | None:
    contract = project.registry.contracts.get(entry.contract)
    if contract is None or entry.equation not in contract.equations:
        what = f"there is no equation {entry.contract}/{entry.equation}"
        return what, "correct the entry, or write the contract"
    function = project.by_name.get((entry.module_path, entry.function))
    what = f"{entry.qualname} is called {entry.status}, but "
    if function is None:
        return what + "no source defines it", "write it, or say pending"
    if function.is_stub:
        return what + f"does nothing ({function.location})", "write it, or say pending"
    return None


CHECK = Check(
    rule=RULE,
    title="bound functions are there",
    fails="less than `min-existing-percent` of the bound functions are there",
    warns="one is missing, or an entry cannot be read",
    skips="there are no bindings",
    run=_run,
)
