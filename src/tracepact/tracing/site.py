"""A call site, resolved once: contract, equation, plan, place in the code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracepact.contracts import Condition
from tracepact.core import Stat, TensorStats, as_array
from tracepact.predicate import MeasureError, Plan, compile_plan, first_failures
from tracepact.tracing.span import NullSpan, Span
from tracepact.violation import NOWHERE, CallSite, Context, Verdict, Violation

if TYPE_CHECKING:
    from tracepact.tracing.layer import ContractTracingLayer


class Site:
    """Checks the conditions of one equation; made by `ContractTracingLayer.site`.

    Call it with fields to open a span, or call `check` where no span is needed.

    Attributes:
        optional: Fields that may be left out; conditions on them are not checked then.
    """

    def __init__(
        self,
        layer: ContractTracingLayer,
        contract: str,
        equation: str,
        conditions: Sequence[Condition],
        location: CallSite,
        *,
        context: Context = NOWHERE,
        also: Mapping[str, Stat] | None = None,
    ) -> None:
        self.tracing_layer = layer
        self.contract = contract
        self.equation = equation
        self.conditions = tuple(conditions)
        self.location = location
        self.context = context
        self.optional: frozenset[str] = frozenset()
        self._also = dict(also or {})
        self._plans: dict[frozenset[str], tuple[Plan, tuple[Condition, ...]]] = {}
        self.plan, _ = self._plan_for(None)
        self.copied = tuple(name[4:-1] for name in self.plan.fields if name.startswith("old("))

    @property
    def fields(self) -> frozenset[str]:
        """Names that the conditions look at; `ret` is the result."""
        return frozenset().union(*(c.predicate.fields for c in self.conditions))

    def __call__(self, /, **fields: Any) -> Span:
        """Open a span over these fields; use it as a context manager."""
        if not self.tracing_layer.admits(self):
            return NullSpan(self, {})
        return self._open(fields)

    def _open(self, fields: dict[str, Any]) -> Span:
        for name in self.copied:
            if fields.get(name) is not None:
                self._copy(name, fields)
        return self._span(fields)

    def _span(self, fields: dict[str, Any]) -> Span:
        return Span(self, fields)

    def _copy(self, name: str, fields: dict[str, Any]) -> None:
        """Keep the value at open: a kernel may work in place."""
        try:
            fields[f"old({name})"] = as_array(fields[name]).copy()
        except Exception as error:
            self.tracing_layer.fault(f"copy of {name!r} for {self.contract}/{self.equation}", error)

    def _close(self, span: Span) -> None:
        """Check the fields of a span whose body has ended."""
        span.violations = self.examine(span.fields, span.context)
        if span.violations:
            span.status = "violated"
            self.report(span.violations)

    def check(self, /, **fields: Any) -> bool:
        """Check fields at once, without a span.

        Returns:
            True if every condition holds (or checks are off or not sampled now); False after
            reporting otherwise.

        Raises:
            ContractViolation: A condition does not hold and the policy is `raise`.
        """
        return not self.tracing_layer.admits(self) or self._check_admitted(fields, self.context)

    def check_in(self, context: Context, /, **fields: Any) -> bool:
        """`check`, with the place in a model that violations name."""
        return not self.tracing_layer.admits(self) or self._check_admitted(fields, context)

    def _check_admitted(self, fields: Mapping[str, Any], context: Context) -> bool:
        violations = self.examine(fields, context)
        self.report(violations)
        return not violations

    def _holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether every condition holds for sure; False where the plan has to tell."""
        return False

    def report(self, violations: Sequence[Violation]) -> None:
        """Hand violations to the layer; under the policy `raise` the first one is raised."""
        if violations:
            self.tracing_layer.report(violations)

    def examine(
        self,
        fields: Mapping[str, Any],
        context: Context = NOWHERE,
        statistics: dict[str, TensorStats] | None = None,
    ) -> list[Violation]:
        """Measure and test, without reporting.

        Args:
            fields: Values by name; None counts as not handed in.
            context: Place in a model.
            statistics: Takes the statistics of the fields that the plan measured.

        A fault in here is counted and logged by the layer; it never reaches the caller.
        """
        start_ns = time.perf_counter_ns()
        violations: list[Violation] = []
        tested = 0
        try:
            if statistics is not None or not self._holds(fields):
                violations = self._examine(fields, context, statistics)
            untested = sum(violation.verdict != "failed" for violation in violations)
            tested = len(self.conditions) - untested - self._left_out(fields)
        except Exception as error:
            self.tracing_layer.fault(f"check of {self.contract}/{self.equation}", error)
        self.tracing_layer.count_check(tested, time.perf_counter_ns() - start_ns)
        return violations

    def _examine(
        self,
        fields: Mapping[str, Any],
        context: Context,
        statistics: dict[str, TensorStats] | None,
    ) -> list[Violation]:
        plan, conditions, unbound = self.plan, self.conditions, []
        if any(fields.get(name) is None for name in plan.fields):
            given = frozenset(name for name in plan.fields if fields.get(name) is not None)
            plan, conditions = self._plan_for(given)
            unbound = [
                self._unbound(condition, context, fields)
                for condition in self.conditions
                if not condition.predicate.fields - given <= self.optional
            ]
        try:
            return unbound + self._test(plan, conditions, context, fields, statistics)
        except MeasureError:
            found = self._test_each(conditions, context, fields)
            if not found:
                raise  # every condition holds; a field that was wanted besides is at fault
            return unbound + found

    def _left_out(self, fields: Mapping[str, Any]) -> int:
        """How many conditions look at optional fields that are not there."""
        if not self.optional:
            return 0
        missing = {name for name in self.plan.fields if fields.get(name) is None}
        wanted = [condition.predicate.fields & missing for condition in self.conditions]
        return sum(bool(names) and names <= self.optional for names in wanted)

    def _test(
        self,
        plan: Plan,
        conditions: Sequence[Condition],
        context: Context,
        fields: Mapping[str, Any],
        statistics: dict[str, TensorStats] | None = None,
    ) -> list[Violation]:
        result = plan.run(fields)
        if statistics is not None:
            statistics.update(result.statistics)
        return [
            self._violation(
                conditions[failure.condition],
                context,
                "failed",
                failure.text,
                failure.measured,
                failure.index,
            )
            for failure in first_failures(result)
        ]

    def _test_each(
        self, conditions: Sequence[Condition], context: Context, fields: Mapping[str, Any]
    ) -> list[Violation]:
        """Where fields of one condition do not fit together, the others are still tested."""
        found = []
        for condition in conditions:
            try:
                plan = compile_plan([(condition.predicate.node, condition.tolerance)])
                found += self._test(plan, (condition,), context, fields)
            except MeasureError as error:
                found.append(self._violation(condition, context, "error", str(error)))
        return found

    def _unbound(
        self, condition: Condition, context: Context, fields: Mapping[str, Any]
    ) -> Violation:
        given = {name for name, value in fields.items() if value is not None}
        missing = ", ".join(repr(name) for name in sorted(condition.predicate.fields - given))
        known = ", ".join(sorted(given)) or "none"
        text = f"no field {missing} was recorded; known: {known}"
        return self._violation(condition, context, "unbound", text)

    def _plan_for(self, given: frozenset[str] | None) -> tuple[Plan, tuple[Condition, ...]]:
        """The plan of the conditions that these fields suffice for; None means all."""
        key = frozenset({"*"}) if given is None else given
        if key not in self._plans:
            conditions = tuple(
                c for c in self.conditions if given is None or c.predicate.fields <= given
            )
            also = {n: w for n, w in self._also.items() if given is None or n in given}
            plan = compile_plan([(c.predicate.node, c.tolerance) for c in conditions], also)
            self._plans[key] = plan, conditions
        return self._plans[key]

    def _violation(
        self,
        condition: Condition,
        context: Context,
        verdict: Verdict,
        explanation: str,
        measured: Mapping[str, Any] | None = None,
        index: tuple[int, ...] | None = None,
    ) -> Violation:
        return Violation(
            contract=self.contract,
            equation=self.equation,
            obligation=condition.obligation,
            expression=condition.expression,
            measured=dict(measured or {}),
            kind=condition.kind,
            verdict=verdict,
            index=index,
            location=self.location,
            source=condition.location,
            layer=context.layer,
            brick=context.brick,
            trace=context.trace,
            step=context.step,
            time_unix_ns=time.time_ns(),
            explanation=explanation,
        )
