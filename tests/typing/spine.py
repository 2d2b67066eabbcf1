"""Never run, only type-checked: what users of the spine rely on.

`mypy --strict` reads this file; a signature that changes breaks it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, assert_type

import numpy as np

from tracepact.contracts import Condition, ContractRegistry, Postcondition
from tracepact.core import (
    CoreChoice,
    ErrorStats,
    Stat,
    TensorStats,
    as_array,
    compare,
    measure,
    row_reduce,
    row_sum_error,
    scaled_tolerance,
    selected_core,
)
from tracepact.errors import ConfigError, ContractViolation, TracepactError
from tracepact.exporters import Exporter, JsonlExporter, LogExporter, MemoryExporter
from tracepact.predicate import (
    Failure,
    Formula,
    MeasureError,
    Plan,
    PlanResult,
    Predicate,
    PredicateError,
    compile_plan,
    first_failures,
    parse_formula,
    parse_predicate,
)
from tracepact.tracing import (
    Always,
    CallSite,
    Context,
    ContractTracingLayer,
    EveryNth,
    Mode,
    Policy,
    Sampler,
    Site,
    Span,
    TimeBudget,
    Verdict,
    Violation,
    current_span,
)
from tracepact.types import Array, FloatArray, SourceLocation


def predicates() -> None:
    predicate = parse_predicate("abs(sum(ret) - 1) < tol", origin=SourceLocation("c.yaml", 3))
    assert_type(predicate, Predicate)
    assert_type(predicate.fields, frozenset[str])
    assert_type(predicate.uses_tolerance, bool)
    assert_type(predicate.check(ret=[0.5, 0.5], tol=1e-6), bool)
    assert_type(predicate.explain(ret=np.ones(2)), str)
    formula = parse_formula("us_per_token = 1e6 / tokens_per_s")
    assert_type(formula, Formula)
    assert_type(formula.name, str)
    assert_type(formula.evaluate(tokens_per_s=30), float)


def plans(predicate: Predicate) -> None:
    plan = compile_plan([(predicate.node, 1e-6)], also={"x": Stat.FULL})
    assert_type(plan, Plan)
    assert_type(plan.fields, frozenset[str])
    result = plan.run({"x": np.ones(3)})
    assert_type(result, PlanResult)
    assert_type(result.statistics["x"], TensorStats)
    for failure in first_failures(result):
        assert_type(failure, Failure)
        assert_type(failure.index, tuple[int, ...] | None)


def measuring(value: Any) -> None:
    stats = measure(value, Stat.RANGE | Stat.MOMENTS)
    assert_type(stats, TensorStats)
    assert_type(stats.nan_count, int)
    assert_type(stats.std, float)
    stats.add(TensorStats.of_scalar(1.0))
    array = as_array(value)
    assert_type(array, Array)
    assert_type(row_reduce("row_sums", array), FloatArray)
    assert_type(row_sum_error(value), float)
    assert_type(scaled_tolerance(1e-6, "float16", 128), float)
    assert_type(compare(value, value), ErrorStats)
    assert_type(selected_core(), CoreChoice)


def tracing(registry: ContractRegistry) -> None:
    assert_type(registry.postconditions("a", "b"), tuple[Condition, ...] | None)
    assert_type(registry.postconditions("a", "b"), tuple[Postcondition, ...] | None)
    memory = MemoryExporter()
    layer = ContractTracingLayer(registry, exporters=[memory, LogExporter(), JsonlExporter("f")])
    assert_type(layer.policy, Policy)
    assert_type(layer.is_on, bool)
    assert_type(layer.suppressed, int)
    site = layer.site("softmax-kernel-v1", "softmax", context=Context(layer=3))
    assert_type(site, Site)
    with site(x=1) as span:
        assert_type(span, Span)
        span.record(ret=2)
        assert_type(span.fields, dict[str, Any])
        assert_type(span.parent, Span | None)
    assert_type(span.violations, list[Violation])
    assert_type(current_span(), Span | None)
    assert_type(site.check(x=1, ret=2), bool)
    assert_type(site.check_in(Context(brick="RmsNorm"), x=1), bool)
    assert_type(site.examine({"x": 1}), list[Violation])
    layer.close()


def violations(memory: MemoryExporter) -> None:
    violation = memory.violations[0]
    assert_type(violation.contract, str)
    assert_type(violation.measured, dict[str, Any])
    assert_type(violation.location, CallSite)
    assert_type(violation.location.line, int)
    assert_type(violation.layer, int | None)
    assert_type(violation.verdict, Verdict)
    assert_type(violation.message, str)
    assert_type(violation.to_dict(), dict[str, Any])


class Half:
    """A sampler of one's own."""

    def admit(self, caller: Hashable = None) -> bool:
        return True

    def spend(self, duration_ns: int) -> None: ...


class Printer:
    """An exporter of one's own."""

    def export(self, violation: Violation) -> None: ...

    def close(self) -> None: ...


def policies() -> list[Policy]:
    samplers: list[Sampler] = [Always(), EveryNth(10), TimeBudget(0.01), Half()]
    return [Policy(mode=Mode.RAISE, sampler=sampler, keep_first=1) for sampler in samplers]


def exporters() -> list[Exporter]:
    return [MemoryExporter(), LogExporter(), JsonlExporter("f.jsonl"), Printer()]


def errors(error: TracepactError) -> str:
    if isinstance(error, ContractViolation):
        return assert_type(error.violation, Violation).message
    if isinstance(error, PredicateError):
        return assert_type(error.reason, str) + assert_type(error.hint, str)
    if isinstance(error, ConfigError | MeasureError):
        return str(error)
    raise error


def mistakes(layer: ContractTracingLayer, span: Span) -> None:
    """Each of these must stay an error: an unused ignore is one too."""
    layer.site("softmax-kernel-v1")  # type: ignore[call-arg]
    Policy(mode="sometimes")  # type: ignore[arg-type]
    span.record(1)  # type: ignore[call-arg]
    ContractTracingLayer(layer.registry, [print])  # type: ignore[list-item]
    measure(1, "sum")  # type: ignore[arg-type]
    span.status.missing  # type: ignore[attr-defined]  # noqa: B018
