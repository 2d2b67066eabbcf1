"""CB-1209: interface tests of the kernels ran and passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tracepact.comply.check import Check, Verdict, judged, skipped
from tracepact.comply.project import Project
from tracepact.evidence import Result
from tracepact.lint.rule import Finding, Rule

KERNELS: Final = (
    "softmax",
    "rmsnorm",
    "rope",
    "attention",
    "matmul",
    "flash-attention",
    "gqa",
    "layernorm",
    "silu",
    "swiglu",
    "activation",
    "cross-entropy",
    "adamw",
)
"""What an engine for inference and training is made of."""

RULE = Rule(
    id="CB-1209",
    severity="error",
    name="too-few-kernel-interfaces",
    what=f"Few of the {len(KERNELS)} kernel interfaces have a function whose interface test ran "
    f"and passed: {', '.join(KERNELS)}. One function counts for one kernel.",
    why="A binding that nobody imports may name a function with other parameters, or none.",
    bad="# nothing ran: no .tracepact/evidence.json",
    good="pytest --tracepact",
    language="sh",
)

_SUFFIX: Final = re.compile(r"(?:-kernel)?-v\d+$")


def _run(project: Project) -> Verdict:
    results = [result for result in project.results if result.kind == "interface"]
    if not results:
        return skipped("no interface test ran since its files changed; run `pytest --tracepact`")
    passed = [result for result in results if result.outcome == "passed"]
    reached = _matched(passed, project)
    summary = f"{len(reached)} of {len(KERNELS)} kernels, {len(passed)} interface tests passed"
    return judged(summary, _findings(project, results, reached))


def _findings(project: Project, results: list[Result], reached: set[str]) -> Iterator[Finding]:
    places = {
        (entry.qualname, entry.contract, entry.equation): entry.location
        for entry in project.bindings.entries
    }
    for result in results:
        if result.outcome == "failed":
            key = result.function, result.contract, result.equation
            said = (result.detail.strip() or "see its output").splitlines()[0]
            message = f"the interface test of {result.function} failed: {said}"
            yield RULE.at(
                places.get(key, project.place),
                message,
                "correct the function or its binding",
                contract=result.contract,
                equation=result.equation,
            )
    least, fewest = project.threshold("min-kernels"), project.threshold("min-kernels-warned")
    if len(reached) < least:
        missing = ", ".join(kernel for kernel in KERNELS if kernel not in reached)
        message = f"{len(reached)} of {len(KERNELS)} kernels have a passed interface test"
        hint = f"bind and test {missing}, or lower `min-kernels`"
        yield RULE.at(
            project.place, message, hint, severity="error" if len(reached) < fewest else "warning"
        )


def _matched(passed: list[Result], project: Project) -> set[str]:
    """Kernels that have a function of their own: the most that can be (augmenting paths)."""
    offers: dict[str, list[str]] = {kernel: [] for kernel in KERNELS}
    for result in passed:
        contract = project.registry.contracts.get(result.contract)
        if contract is not None and result.equation in contract.equations:
            for name in (_SUFFIX.sub("", result.contract), result.equation.replace("_", "-")):
                if name in offers:
                    offers[name].append(result.function)
    taken: dict[str, str] = {}

    def place(kernel: str, tried: set[str]) -> bool:
        for function in offers[kernel]:
            if function not in tried:
                tried.add(function)
                if function not in taken or place(taken[function], tried):
                    taken[function] = kernel
                    return True
        return False

    for kernel in KERNELS:
        place(kernel, set())
    return set(taken.values())


CHECK = Check(
    rule=RULE,
    title="kernel interfaces pass their tests",
    fails="an interface test failed, or fewer than `min-kernels-warned` passed",
    warns="fewer than `min-kernels` kernels have one that passed",
    skips="no interface test ran since its files changed",
    run=_run,
)
