"""Write a lowered plan down for the native core, as tuples of numbers and texts.

The native core is a filter: it says that every condition holds, or leaves the verdict to the Python
plan. So what it cannot express is left out by exporting no plan at all, and what it does express
follows `plan` and `evaluate` rule by rule. It walks as seldom as it can: row reductions, statistics
of expressions and element-by-element tests that read the same fields share a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracepact.core import Stat
from tracepact.core._native import Plan
from tracepact.core.tolerance import ROUNDING, TERMS_PER_TOLERANCE
from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Slot,
    Tuple,
    Unary,
    walk,
)
from tracepact.predicate.kinds import is_truth
from tracepact.predicate.lower import Column, Lowering, Meta, Rows, Tolerance
from tracepact.predicate.native_bounds import Bounds, bounds_of, conjuncts, constant, scalar_bounds

Given = tuple[tuple[str, int], ...]
NodeTuple = tuple[Any, ...]

_PROVE_FINITE = ("row_sums", "row_norms")
"""Row reductions whose finite result proves that every element is finite."""
_COUNTS = {"count", "nan_count", "inf_count", "nonfinite_count"}
_INTEGERS = ("argmin", "argmax")
"""Statistics that Python keeps as unbounded integers."""


class _UnsupportedError(Exception):
    """Only the Python plan can do this."""


def compile_native(lowering: Lowering, fields: Sequence[str]) -> Plan | None:
    """The native plan of a lowering, or None where the native core cannot express it.

    Args:
        lowering: Steps and tests of all conditions.
        fields: Names of the fields, in the order in which `Plan.run` takes their values.
    """
    try:
        return Plan(*_Export(lowering, tuple(fields)).parts())
    except (_UnsupportedError, OverflowError):  # the latter: larger than the native core takes
        return None


@dataclass
class _Group:
    """Row reductions, statistics and tests that walk the same fields together."""

    level: int
    names: frozenset[str]
    sinks: list[tuple[str, tuple[Node, ...], tuple[Any, ...]]] = field(default_factory=list)
    """(kind, expressions, what follows them in the sink)"""


class _Export:
    """One plan on its way out."""

    def __init__(self, lowering: Lowering, fields: tuple[str, ...]) -> None:
        self.lowering = lowering
        self.fields = fields
        self.values = {name: index for index, name in enumerate(fields)}
        for step in lowering.steps:
            if isinstance(step, Rows):
                self.values[step.label] = len(self.values)
        self.shapes: dict[int, str] = {}
        """Slots that stand for the whole shape of a field."""
        self.integers: set[int] = set()
        self._slot_count = lowering.slot_count
        self._shape_slots: dict[tuple[Any, ...], int] = {}
        self._asking: list[tuple[Any, ...]] = []
        """Steps that look at no element; they come first."""
        self._ready: dict[int | str, int] = {}
        """Level from which on a slot or label may be read; fields from 0 on."""
        self._steps: list[tuple[int, tuple[Any, ...]]] = []
        self._groups: list[_Group] = []

    def parts(self) -> tuple[Any, ...]:
        """The arguments of `Plan`."""
        for step in self.lowering.steps:
            if isinstance(step, Meta):
                self._ask(step)
            elif isinstance(step, Tolerance):
                fields = tuple(self.values[name] for name in step.fields)
                sums = int(step.sums_rows), int(step.sums_all)
                self._asking.append(("tolerance", float(step.base), fields, *sums, step.slot))
        with_rows = self._measure()
        for step in self.lowering.steps:
            if isinstance(step, Rows) and step.label not in with_rows:
                self._reduce_rows(step)
            elif isinstance(step, Column):
                self._column(step)
        intervals, tests = self._tests()
        bounds = scalar_bounds(self.lowering)
        scalars = None
        if bounds is not None and set(self.fields) <= bounds.keys():
            scalars = tuple(bounds[name] for name in self.fields)
        tolerances = tuple((name, *map(float, row)) for name, row in ROUNDING.items())
        ordered = tuple(self._ordered())  # its expressions may ask for more shapes
        return (
            self.fields,
            (*self._asking, *ordered),
            intervals,
            tests,
            scalars,
            (float(TERMS_PER_TOLERANCE), tolerances),
        )

    # -- steps ---------------------------------------------------------------------------------

    def _ask(self, step: Meta) -> None:
        index = self.values[step.field]
        if step.function == "dtype":
            raise _UnsupportedError
        if step.function == "shape" and step.axis is None:
            self.shapes[step.slot] = step.field
        else:
            self._asking.append(("ask", step.function, index, step.axis or 0, step.slot))

    def shape_slot(self, field: str, other: str | tuple[int, ...]) -> int:
        """A slot that says whether a field has the shape of another, or this one."""
        key = field, other
        if key not in self._shape_slots:
            slot = self._shape_slots[key] = self._slot_count
            self._slot_count += 1
            index = self.values[field]
            if isinstance(other, str):
                self._asking.append(("same_shape", index, self.values[other], slot))
            else:
                self._asking.append(("has_shape", index, other, slot))
        return self._shape_slots[key]

    def _measure(self) -> set[str]:
        """Columns over fields; returns the row sums that come with them."""
        sums = {s.operands[0]: s.label for s in self._row_steps(("row_sums",))}
        with_rows = set()
        for step in self.lowering.steps:
            if not isinstance(step, Column) or not isinstance(step.expression, Name):
                continue
            self.integers.update(slot for name, slot in step.slots if name in _INTEGERS)
            name = step.expression.id
            if name not in self.fields:
                continue
            if self._proves_finite(step):
                continue
            label = -1
            if step.expression in sums and not step.wanted & Stat.ARGS:
                with_rows.add(sums[step.expression])
                label = self.values[sums[step.expression]]
                self._ready[sums[step.expression]] = 1
            self._add_measure(0, step, label)
        return with_rows

    def _proves_finite(self, step: Column) -> bool:
        """Whether only counts are wanted, of what a row reduction walks anyway."""
        walked = {s.operands[0] for s in self._row_steps(_PROVE_FINITE)}
        return step.wanted == Stat.COUNTS and step.expression in walked

    def _row_steps(self, functions: tuple[str, ...]) -> list[Rows]:
        return [
            step
            for step in self.lowering.steps
            if isinstance(step, Rows)
            and step.function in functions
            and isinstance(step.operands[0], Name)
            and step.operands[0].id in self.fields
        ]

    def _add_measure(self, level: int, step: Column, label: int = -1) -> None:
        assert isinstance(step.expression, Name)
        value = self.values[step.expression.id]
        self._steps.append((level, ("measure", value, step.wanted.value, _given(step), label)))
        self._ready.update({slot: level + 1 for _, slot in step.slots})

    def _column(self, step: Column) -> None:
        level = self._level(step.expression)
        if isinstance(step.expression, Name):
            name = step.expression.id
            if name not in self.fields:
                self._add_measure(level, step)
            elif self._proves_finite(step):
                self._count(step)
            return
        self.integers.update(slot for name, slot in step.slots if name in _INTEGERS)
        self._ready.update({slot: level + 1 for _, slot in step.slots})
        self._add_sink(level, "stats", (step.expression,), (step.wanted.value, _given(step)))

    def _count(self, step: Column) -> None:
        assert isinstance(step.expression, Name)
        rows = next(s for s in self._row_steps(_PROVE_FINITE) if s.operands[0] == step.expression)
        level = self._ready.get(rows.label, 1)
        value, label = self.values[step.expression.id], self.values[rows.label]
        self._steps.append((level, ("counts", value, label, _given(step))))
        self._ready.update({slot: level + 1 for _, slot in step.slots})

    def _reduce_rows(self, step: Rows) -> None:
        level = self._level(*step.operands)
        self._ready[step.label] = level + 1
        if step.function == "row_argmax":
            operand = step.operands[0]
            if not isinstance(operand, Name):
                raise _UnsupportedError
            place = self.values[operand.id], self.values[step.label]
            self._steps.append((level, ("rows", step.function, *place)))
        else:
            self._add_sink(level, step.function, step.operands, (self.values[step.label],))

    def _level(self, *nodes: Node) -> int:
        keys = [key for node in nodes for key in _reads(node)]
        return max((self._ready.get(key, 0) for key in keys), default=0)

    def _add_sink(
        self, level: int, kind: str, nodes: tuple[Node, ...], rest: tuple[Any, ...]
    ) -> None:
        """Join the groups of this level that read some of the same fields, or only them."""
        names = _names(*nodes)
        joined = _Group(level, names, [(kind, nodes, rest)])
        for group in list(self._groups):
            if group.level == level and names & group.names and _nested(names, group.names):
                joined.names |= group.names
                joined.sinks = group.sinks + joined.sinks
                self._groups.remove(group)
        self._groups.append(joined)

    def _ordered(self) -> Iterable[tuple[Any, ...]]:
        levels = {level for level, _ in self._steps} | {g.level for g in self._groups}
        for level in sorted(levels):
            yield from (step for at, step in self._steps if at == level)
            yield from (self._pass(group) for group in self._groups if group.level == level)

    def _pass(self, group: _Group) -> tuple[Any, ...]:
        labels = {kind: rest[0] for kind, _, rest in group.sinks if kind.startswith("row_")}
        operands = {nodes for _, nodes, _ in group.sinks}
        match list(operands):
            case [(Name(name),)] if len(labels) == len(group.sinks):
                value = self.values[name]
                if labels.keys() <= set(_PROVE_FINITE):
                    sums, norms = (labels.get(kind, -1) for kind in _PROVE_FINITE)
                    return ("moments", value, sums, norms)
                if len(labels) == 1:
                    return ("rows", *labels, value, *labels.values())
        program = _Program(self)
        sinks = []
        for kind, nodes, rest in group.sinks:
            sinks.append((kind, *(program.number(node) for node in nodes), *rest))
        return ("pass", tuple(program.nodes), tuple(sinks))

    # -- tests ---------------------------------------------------------------------------------

    def _tests(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        intervals: dict[tuple[int, int], Bounds] = {}
        program = _Program(self)
        outcomes = []
        elementwise = []
        tested: list[tuple[Node, int]] = []
        for test in self.lowering.tests:
            vacuous = -1 if test.vacuous is None else test.vacuous.index
            if _names(test.fast):
                elementwise.append(test.fast)
            else:
                tested += [(part, vacuous) for part in conjuncts(test.fast)]
        implied = _implied(self.lowering, tested)
        for place, (part, vacuous) in enumerate(tested):
            if place in implied:
                continue
            found = bounds_of(part)
            if found is None or found[0] in self.shapes:
                outcomes.append((program.number(part), vacuous))
                continue
            (low, high), key = found[1], (found[0], vacuous)
            lowest, highest = intervals.get(key, (-math.inf, math.inf))
            intervals[key] = max(low, lowest), min(high, highest)
        for node in sorted(elementwise, key=lambda n: -len(_names(n))):
            self._test_elements(node)
        rows = tuple((slot, *bounds, vacuous) for (slot, vacuous), bounds in intervals.items())
        return rows, (tuple(program.nodes), tuple(outcomes))

    def _test_elements(self, node: Node) -> None:
        names, level = _names(node), self._level(node)
        for group in self._groups:
            shares = names == group.names or (len(names) > 1 and names < group.names)
            if shares and group.level >= level:
                group.sinks.append(("test", (node,), ()))
                return
        self._groups.append(_Group(level, names, [("test", (node,), ())]))


class _Program:
    """Expressions as a list of operations, each distinct one once."""

    def __init__(self, export: _Export) -> None:
        self._export = export
        self._known: dict[tuple[Any, ...], int] = {}
        self.nodes: list[NodeTuple] = []

    def _add(self, operation: str, *operands: Any) -> int:
        # 0.0 and -0.0 are equal, but not the same.
        key = (operation, *(o.hex() if isinstance(o, float) else o for o in operands))
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append((operation, *operands))
        return self._known[key]

    def number(self, node: Node) -> int:
        """Index of the operation that yields the expression; truth values are 1.0 and 0.0."""
        value = constant(node, {})
        if value is not None:
            return self._add("constant", value)
        match node:
            case Slot(index):
                if index in self._export.shapes or index in self._export.integers:
                    raise _UnsupportedError
                return self._add("slot", index)
            case Name(name):
                return self._add("value", self._export.values[name])
            case Unary("-", operand):
                return self._add("negate", self.number(operand))
            case Unary(_, operand):
                return self._add("not", self._truth(operand))
            case Binary("**", left, Number(2.0)):
                return self._add("square", self.number(left))
            case Binary("**", left, Number(3.0)):
                base = self.number(left)
                return self._add("*", self._add("square", base), base)
            case Binary("+", Call("abs", (left,)), Call("abs", (right,))):
                return self._add("abs+abs", self.number(left), self.number(right))
            case Call("abs", (Binary("-", left, right),)):
                return self._add("abs-", self.number(left), self.number(right))
            case Binary(symbol, left, right):
                return self._add(symbol, self.number(left), self.number(right))
            case Compare(symbol, left, right):
                return self._compare(symbol, left, right)
            case Logical(symbol, operands):
                first, *others = map(self._truth, operands)
                for other in others:
                    first = self._add(symbol, first, other)
                return first
            case Call("where", (condition, *branches)):
                return self._add("where", self._truth(condition), *map(self.number, branches))
            case Call("min" | "max" as function, arguments):
                first, *others = map(self.number, arguments)
                for other in others:
                    first = self._add(function, first, other)
                return first
            case Call(function, (argument,)):
                return self._add(function, self.number(argument))
            case _:
                raise _UnsupportedError

    def _truth(self, node: Node) -> int:
        number = self.number(node)
        return number if is_truth(node) else self._add("!=", number, self._add("constant", 0.0))

    def _compare(self, symbol: str, left: Node, right: Node) -> int:
        if self._is_shape(left) or self._is_shape(right):
            return self._compare_shapes(symbol, left, right)
        if symbol in (">", ">="):
            symbol, left, right = symbol.replace(">", "<"), right, left
        return self._add(symbol, self._side(left), self._side(right))

    def _side(self, node: Node) -> int:
        if isinstance(node, Slot) and node.index in self._export.integers:
            return self._add("slot", node.index)
        return self.number(node)

    def _is_shape(self, node: Node) -> bool:
        return isinstance(node, Tuple) or (
            isinstance(node, Slot) and node.index in self._export.shapes
        )

    def _compare_shapes(self, symbol: str, left: Node, right: Node) -> int:
        if isinstance(left, Tuple):
            left, right = right, left
        if not isinstance(left, Slot) or left.index not in self._export.shapes:
            raise _UnsupportedError
        match right:
            case Slot(index) if index in self._export.shapes:
                other: str | tuple[int, ...] = self._export.shapes[index]
            case Tuple(items):
                other = tuple(map(_length, items))
            case _:
                raise _UnsupportedError
        slot = self._add("slot", self._export.shape_slot(self._export.shapes[left.index], other))
        return slot if symbol == "==" else self._add("not", slot)


def _length(node: Node) -> int:
    value = constant(node, {})
    if value is None or not abs(value) < 2.0**62:
        raise _UnsupportedError
    return int(value)


def _given(step: Column) -> Given:
    return tuple((attribute, slot) for attribute, slot in step.slots)


def _names(*nodes: Node) -> frozenset[str]:
    return frozenset(n.id for node in nodes for n in walk(node) if isinstance(n, Name))


def _implied(lowering: Lowering, tested: Sequence[tuple[Node, int]]) -> set[int]:
    """Places of the upper limits of a lowest element that hold if the highest keeps them."""
    limits: dict[tuple[int, str, int], int] = {}
    for place, (part, vacuous) in enumerate(tested):
        match part:
            case Compare("<=", Slot(index), limit):
                # Not by ==, to which 0.0 and -0.0 are the same.
                limits[index, repr(limit), vacuous] = place
    implied = set()
    for step in lowering.steps:
        slots = dict(step.slots) if isinstance(step, Column) else {}
        if {"lowest", "highest", "count"} <= slots.keys():
            # Without elements the lowest is above the highest, but then neither is tested.
            for index, text, vacuous in limits:
                lower = slots["lowest"], text, slots["count"]
                if index == slots["highest"] and vacuous == slots["count"] and lower in limits:
                    implied.add(limits[lower])
    return implied


def _reads(node: Node) -> Iterable[int | str]:
    for part in walk(node):
        if isinstance(part, Slot):
            yield part.index
        elif isinstance(part, Name):
            yield part.id


def _nested(a: frozenset[str], b: frozenset[str]) -> bool:
    return a <= b or b <= a
