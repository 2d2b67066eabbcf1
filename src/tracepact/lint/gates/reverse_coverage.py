"""Gate 7: the public functions of the sources are bound to contracts."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.enforce.functions import SourceFunction
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.types import SourceLocation

UNBOUND = Rule(
    id="PV-RCV-001",
    severity="warning",
    name="unbound-function",
    what="A public function of the sources that neither an entry of the binding file nor a "
    "decorator names. Tests, methods and names with an underscore in front are left out.",
    why="Nothing says what it has to fulfil.",
    bad="bindings: []  # and softmax() in the sources",
    good="bindings: [{contract: softmax-kernel-v1, equation: softmax, function: softmax, …}]",
)
LOW_COVERAGE = Rule(
    id="PV-RCV-002",
    severity="error",
    name="low-coverage",
    what="Less than `min-coverage` percent (50 by default) of the public functions are bound, by "
    "an entry that is implemented or partial, or by a decorator.",
    why="Contracts for a corner of the code say little about the code.",
    bad="bindings: [one of five functions]",
    good="bindings: [three of five functions]",
)
IGNORED_BINDING = Rule(
    id="PV-RCV-003",
    severity="warning",
    name="ignored-binding",
    what="Something in the binding file that cannot be used.",
    why="Its author believes that the function is bound.",
    bad="bindings: [{contract: softmax-kernel-v1, function: softmax}]",
    good="bindings: [{contract: softmax-kernel-v1, equation: softmax, module_path: m, "
    "function: softmax, status: implemented}]",
)


def _check_project(project: Project) -> Iterator[Finding]:
    bindings = project.bindings
    assert bindings is not None  # else the gate is skipped
    for problem in bindings.problems:
        yield IGNORED_BINDING.at(problem.location, problem.message, problem.hint)
    named = {(one.module_path, one.function) for one in bindings.entries}
    done = {
        (one.module_path, one.function)
        for one in bindings.entries
        if one.status in ("implemented", "partial")
    }
    public = [one for one in project.functions()[0] if _is_public(one)]
    covered = 0
    for function in public:
        key = function.module, function.qualname
        covered += bool(function.decorations) or key in done
        if not function.decorations and key not in named:
            message = f"{function.call} is bound to no equation"
            hint = "bind it (tracepact bind --propose), or begin its name with an underscore"
            yield UNBOUND.at(function.location, message, hint)
    percent = 100 * covered / len(public) if public else 100.0
    if percent < project.min_coverage_percent:
        message = (
            f"{covered} of {len(public)} public functions are bound ({percent:.0f} %), "
            f"fewer than {project.min_coverage_percent:g} %"
        )
        hint = "bind those that PV-RCV-001 names"
        yield LOW_COVERAGE.at(SourceLocation(bindings.source, 1, 1), message, hint)


def _is_public(function: SourceFunction) -> bool:
    parts = (*function.module.split("."), function.qualname)
    return "." not in function.qualname and not any(part.startswith("_") for part in parts)


def _skipped(project: Project) -> str:
    absent = [] if project.bindings else ["--binding"]
    absent += [] if project.sources else ["--source"]
    return f"no {' and no '.join(absent)}" if absent else ""


GATE = Gate(
    order=7,
    summary="The public functions of the sources are bound (`--binding`, `--source`).",
    rules=(UNBOUND, LOW_COVERAGE, IGNORED_BINDING),
    check_project=_check_project,
    skipped=_skipped,
)
