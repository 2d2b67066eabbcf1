"""Compile the conditions of one equation into a plan: what to measure, then what to test.

All conditions share one pass over each field. A plan is compiled once a site and run on every call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tracepact.core import (
    CHUNK_ELEMENTS,
    Stat,
    TensorStats,
    as_array,
    broadcast_shape,
    chunks,
    is_scalar,
    measure,
    native_core,
    row_reduce,
    scaled_tolerance,
)
from tracepact.errors import TracepactError
from tracepact.predicate.ast import Name, Node, walk
from tracepact.predicate.evaluate import Evaluator, compile_node
from tracepact.predicate.lower import Column, Lowering, Meta, Rows, Test, Tolerance, field_names
from tracepact.types import FloatArray

if TYPE_CHECKING:
    from tracepact.core import _native

_MAX_TOLERANCES = 1_000
"""Row lengths whose tolerance a plan keeps; they grow with the context."""

Slots = list[Any]
Values = dict[str, Any]


class MeasureError(TracepactError, ValueError):
    """The fields do not fit the predicates: shapes that do not broadcast, or not numbers."""


@dataclass(slots=True)
class PlanResult:
    """What one run found.

    Attributes:
        failed: Tests that do not hold, in the order of the conditions.
        slots: Measured numbers, one a statistic, meta question or tolerance.
        values: The fields, with the row reductions beside them.
        statistics: Full statistics by field, where the plan measured the field itself.
    """

    failed: list[CompiledTest]
    slots: Slots
    values: Values
    statistics: dict[str, TensorStats]
    _wide: dict[str, FloatArray] = field(default_factory=dict)

    def wide(self, name: str) -> Any:
        """A value ready for arithmetic: small arrays as float64, converted once a run."""
        wide = self._wide.get(name)
        if wide is not None:
            return wide
        value = self.values[name]
        if isinstance(value, np.ndarray) and value.size <= CHUNK_ELEMENTS:
            value = self._wide[name] = np.asarray(value, np.float64)
        return value


@dataclass(frozen=True, slots=True)
class CompiledTest:
    """A test with its evaluators."""

    test: Test
    holds: Callable[[PlanResult], bool]
    pointwise: Evaluator
    names: tuple[str, ...]
    """Named values that `pointwise` reads element by element."""


class Measuring:
    """The steps that turn fields into the numbers and row reductions that expressions use."""

    def __init__(self, lowering: Lowering) -> None:
        self._slot_count = lowering.slot_count
        self._steps = [_compile_step(step) for step in lowering.steps]

    def run(self, fields: Mapping[str, Any], names: Iterable[str]) -> PlanResult:
        """Measure the named fields; nothing is tested yet."""
        values = {name: _prepared(name, fields[name]) for name in names}
        result = PlanResult([], [None] * self._slot_count, values, {})
        for step in self._steps:
            step(result)
        return result


class Plan:
    """Measuring steps and tests of several conditions over named fields.

    Attributes:
        fields: Names that `run` needs.
        tests: Conjuncts of the conditions, in their order.
        native: The same in C, which tells only whether everything holds for sure; None where the
            native core does not serve, or cannot express a condition.
    """

    def __init__(
        self,
        conditions: Sequence[tuple[Node, float | None]],
        also: Mapping[str, Stat],
    ) -> None:
        lowering = Lowering()
        for index, (node, tolerance) in enumerate(conditions):
            lowering.add(index, node, tolerance)
        for name, wanted in also.items():
            lowering.measure_field(name, wanted)
        self.fields = frozenset(also).union(*(field_names(node) for node, _ in conditions))
        self.tests = [_compile_test(test) for test in lowering.tests]
        self._measuring = Measuring(lowering)
        self.native = _native_plan(lowering, sorted(self.fields))

    def run(self, fields: Mapping[str, Any]) -> PlanResult:
        """Measure the fields and test every condition.

        Args:
            fields: A value for each name in `Plan.fields`; others are ignored. A value is an array
                of any library, a number, or `TensorStats` measured earlier.

        Raises:
            MeasureError: Shapes do not fit together, or a field has no numbers.
        """
        with np.errstate(all="ignore"):
            try:
                result = self._measuring.run(fields, self.fields)
                result.failed = [test for test in self.tests if not test.holds(result)]
            except (TypeError, ValueError, OverflowError, MemoryError) as error:
                raise MeasureError(str(error)) from error
        return result


def compile_plan(
    conditions: Sequence[tuple[Node, float | None]], also: Mapping[str, Stat] | None = None
) -> Plan:
    """Compile predicates, each with its tolerance, into one plan.

    Args:
        conditions: Trees and the tolerance that `tol` stands for in each.
        also: Statistics that the caller wants of fields anyhow, from the same pass.
    """
    return Plan(conditions, also or {})


def compile_value(node: Node) -> Callable[[Mapping[str, Any]], float]:
    """Compile an expression for its value, one number, instead of its truth.

    The result raises MeasureError as `Plan.run` does.
    """
    lowering = Lowering()
    expression = lowering.expression(node)
    evaluate, elements = compile_node(expression), _names(expression)
    measuring = Measuring(lowering)
    names = field_names(node)
    order = sorted(names)
    # A value is a test that is not asked whether it is zero.
    lowering.tests = [Test(0, expression, expression, None)]
    native = None if elements else _native_plan(lowering, order)

    def value(fields: Mapping[str, Any]) -> float:
        found = None if native is None else native.value(*map(fields.__getitem__, order))
        return measured_value(fields) if found is None else found

    def measured_value(fields: Mapping[str, Any]) -> float:
        with np.errstate(all="ignore"):
            try:
                result = measuring.run(fields, names)
                arrays = _arrays(result, elements)
                numbers = {n: np.asarray(a, np.float64).item() for n, a in arrays.items()}
                return float(evaluate(result.slots, numbers))
            except (TypeError, ValueError, OverflowError, MemoryError) as error:
                raise MeasureError(str(error)) from error

    return value


def _native_plan(lowering: Lowering, fields: Sequence[str]) -> _native.Plan | None:
    if native_core() is None:
        return None
    from tracepact.predicate.native_plan import compile_native  # noqa: PLC0415 - needs the core

    return compile_native(lowering, fields)


def _prepared(name: str, value: Any) -> Any:
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return value
    if is_scalar(value):
        try:
            return float(value)
        except OverflowError as error:
            raise MeasureError(f"'{name}' is beyond the range of float64") from error
    if isinstance(value, TensorStats):
        return value
    try:
        return as_array(value)
    except Exception as error:  # conversion runs code of other libraries
        raise MeasureError(f"'{name}': {error}") from error


# -- steps -----------------------------------------------------------------------------------


def _compile_step(
    step: Column | Rows | Meta | Tolerance,
) -> Callable[[PlanResult], None]:
    match step:
        case Column(Name(name)):
            return partial(_measure_field, step, name)
        case Column(expression):
            return partial(_measure_expression, step, compile_node(expression), _names(expression))
        case Rows(_, operands):
            fields = [operand.id for operand in operands if isinstance(operand, Name)]
            if len(fields) == len(operands):
                return partial(_reduce_rows, step, fields)
            evaluators = [compile_node(operand) for operand in operands]
            return partial(_reduce_row_expressions, step, evaluators, _names(*operands))
        case Meta():
            return partial(_ask, step)
        case Tolerance():
            return partial(_scale, step, {})


def _measure_field(step: Column, name: str, result: PlanResult) -> None:
    value = result.wide(name)
    stats = value if isinstance(value, TensorStats) else measure(value, step.wanted)
    if step.wanted not in stats.measured:
        missing = (step.wanted & ~stats.measured).name
        raise ValueError(f"of '{name}' only some statistics were kept, not its {missing}")
    result.statistics[name] = stats
    for attribute, index in step.slots:
        result.slots[index] = getattr(stats, attribute)


def _measure_expression(
    step: Column,
    evaluate: Evaluator,
    names: tuple[str, ...],
    result: PlanResult,
) -> None:
    stats = TensorStats()
    for chunk in evaluated_chunks(evaluate, names, result):
        stats.add(measure(chunk, step.wanted))
    for attribute, index in step.slots:
        result.slots[index] = getattr(stats, attribute)


def _reduce_rows(step: Rows, names: Sequence[str], result: PlanResult) -> None:
    values = _arrays(result, names)
    result.values[step.label] = row_reduce(step.function, *(as_array(values[n]) for n in names))


def _reduce_row_expressions(
    step: Rows, operands: list[Evaluator], names: tuple[str, ...], result: PlanResult
) -> None:
    def transform(*blocks: FloatArray) -> list[FloatArray]:
        named = dict(zip(names, blocks, strict=False))
        # As numbers: einsum over truth values is a disjunction, not a sum.
        values = (np.asarray(o(result.slots, named), np.float64) for o in operands)
        return [_shaped(value, blocks[0].shape) for value in values]

    # A constant expression reads no field; it is one row of one element.
    arrays = [as_array(value) for value in _arrays(result, names).values()] or [np.zeros(1)]
    result.values[step.label] = row_reduce(step.function, *arrays, transform=transform)


def _ask(step: Meta, result: PlanResult) -> None:
    _arrays(result, (step.field,))  # refuses what only left statistics
    value = as_array(result.values[step.field])
    match step.function:
        case "shape" if step.axis is not None:
            if not -value.ndim <= step.axis < value.ndim:
                raise ValueError(f"'{step.field}' has {value.ndim} axes, no axis {step.axis}")
            answer: Any = float(value.shape[step.axis])
        case "shape":
            answer = value.shape
        case "len":
            answer = float(value.shape[0]) if value.ndim else 1.0
        case "dtype":
            answer = value.dtype.name
        case function:
            answer = float(getattr(value, function))
    result.slots[step.slot] = answer


def _scale(step: Tolerance, scaled: dict[Any, float], result: PlanResult) -> None:
    widest = 0.0
    for name in step.fields:
        array = result.values[name]
        if isinstance(array, np.ndarray) and array.dtype.kind not in "iub":
            key = array.dtype, step.terms(array)
            tolerance = scaled.get(key)
            if tolerance is None:  # the name of a dtype is slow to come by
                tolerance = scaled_tolerance(step.base, array.dtype.name, key[1])
                if len(scaled) < _MAX_TOLERANCES:
                    scaled[key] = tolerance
            widest = max(widest, tolerance)
    result.slots[step.slot] = widest or step.base


# -- expressions over elements ----------------------------------------------------------------


def evaluated_chunks(
    evaluate: Evaluator, names: tuple[str, ...], result: PlanResult
) -> Iterator[Any]:
    """Evaluate an elementwise expression over broadcast fields, chunk by chunk in C order."""
    arrays = _arrays(result, names)
    large = {n: a for n, a in arrays.items() if isinstance(a, np.ndarray)}
    shapes = {a.shape for a in large.values()}
    shape = shapes.pop() if len(shapes) == 1 else broadcast_shape(*large.values())
    # A product of small shapes can be large.
    if all(a.dtype == np.float64 for a in large.values()) and math.prod(shape) <= CHUNK_ELEMENTS:
        yield _shaped(evaluate(result.slots, arrays), shape)
        return
    for vectors in chunks(*large.values()):
        yield evaluate(result.slots, {**arrays, **dict(zip(large, vectors, strict=True))})


def _shaped(value: Any, shape: tuple[int, ...]) -> Any:
    return value if np.shape(value) == shape else np.broadcast_to(value, shape)


def _arrays(result: PlanResult, names: Iterable[str]) -> Values:
    arrays = {name: result.wide(name) for name in names}
    for name, value in arrays.items():
        if isinstance(value, TensorStats):
            raise ValueError(f"only statistics of '{name}' were kept, not its elements")
    return arrays


def _names(*nodes: Node) -> tuple[str, ...]:
    parts = (part for node in nodes for part in walk(node))
    return tuple(sorted({part.id for part in parts if isinstance(part, Name)}))


# -- tests ------------------------------------------------------------------------------------


def _compile_test(test: Test) -> CompiledTest:
    names = _names(test.pointwise)
    pointwise = compile_node(test.pointwise)
    if _names(test.fast):
        holds = partial(_all_elements, pointwise, names)
    elif test.vacuous is None:
        holds = partial(_over_slots, compile_node(test.fast))
    else:
        holds = partial(_over_extremes, compile_node(test.fast), test.vacuous.index)
    return CompiledTest(test, holds, pointwise, names)


def _over_slots(evaluate: Evaluator, result: PlanResult) -> bool:
    return bool(evaluate(result.slots, result.values))


def _over_extremes(evaluate: Evaluator, count: int, result: PlanResult) -> bool:
    return result.slots[count] == 0 or bool(evaluate(result.slots, result.values))


def _all_elements(evaluate: Evaluator, names: tuple[str, ...], result: PlanResult) -> bool:
    return all(np.all(chunk) for chunk in evaluated_chunks(evaluate, names, result))
