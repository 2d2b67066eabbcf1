"""Rewrite a predicate into measuring steps and tests over what was measured.

Reductions (`sum(ret)`), row reductions (`row_sums(ret)`) and questions about a field (`shape(x)`)
are taken out of the tree, each measured once however often it is used. What remains is either a
test over measured numbers alone, or a test that still looks at every element. A comparison that is
monotone in one field needs only the field's extremes, so most of the second kind become the first.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from tracepact.core import Stat
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
    children,
    unparse,
    walk,
)
from tracepact.predicate.functions import FUNCTIONS, FunctionKind, is_elementwise
from tracepact.predicate.kinds import is_truth
from tracepact.types import Array

TOLERANCE = "tol"

_REDUCTIONS: dict[str, tuple[str, Stat, str]] = {
    # function: (attribute of TensorStats, what it needs, label)
    "sum": ("total", Stat.SUM, "sum"),
    "mean": ("average", Stat.MOMENTS, "mean"),
    "std": ("spread", Stat.MOMENTS, "std"),
    "norm": ("norm", Stat.MOMENTS, "norm"),
    "min": ("lowest", Stat.RANGE, "min"),
    "max": ("highest", Stat.RANGE, "max"),
    "argmin": ("argmin", Stat.ARGS, "argmin"),
    "argmax": ("argmax", Stat.ARGS, "argmax"),
}
_COUNTS = {"isnan": "nan_count", "isinf": "inf_count", "isfinite": "nonfinite_count"}
_FLIPPED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(slots=True)
class Column:
    """Statistics of one expression (most often one field) over all its elements."""

    expression: Node
    wanted: Stat = Stat.COUNTS
    slots: list[tuple[str, int]] = field(default_factory=list)
    """(attribute of `TensorStats`, slot that takes it)"""


@dataclass(frozen=True, slots=True)
class Rows:
    """A row reduction; its result joins the named values under `label`."""

    function: str
    operands: tuple[Node, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Meta:
    """A question about a field itself: its shape, length, dtype."""

    function: str
    field: str
    axis: int | None
    slot: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`tol`, scaled for the storage dtype and row length of the fields of one predicate."""

    base: float
    fields: tuple[str, ...]
    sums_rows: bool
    sums_all: bool
    slot: int

    def terms(self, array: Array) -> int:
        """Length of the sums that the predicate takes over a field."""
        if self.sums_all:
            return int(array.size)
        return int(array.shape[-1]) if self.sums_rows and array.ndim else 1


Step = Column | Rows | Meta | Tolerance


@dataclass(frozen=True, slots=True)
class Test:
    """One conjunct of a predicate.

    `fast` is over slots alone where that is possible; `pointwise` is what was written, with only
    the reductions replaced, and tells after a failure which element it was.
    """

    condition: int
    fast: Node
    pointwise: Node
    vacuous: Slot | None
    """Number of elements of the field whose extremes `fast` uses: with none, it holds."""


class Lowering:
    """Collects the steps and tests of several predicates, sharing what they measure."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.tests: list[Test] = []
        self._columns: dict[Node, Column] = {}
        self._slots: dict[Hashable, Slot] = {}
        self._rows: dict[Node, Name] = {}
        self._labels: set[str] = set()
        self._tolerance: float | None = None
        self._root: Node = Number(1.0)

    @property
    def slot_count(self) -> int:
        """Numbers that the steps measure."""
        return len(self._slots)

    def add(self, condition: int, node: Node, tolerance: float | None) -> None:
        """Lower one predicate; its conjuncts become tests of that condition."""
        self._tolerance, self._root = tolerance, node
        for conjunct in conjuncts(node):
            pointwise = self.expression(conjunct)
            fast, vacuous = self._fast(pointwise)
            self.tests.append(Test(condition, fast, pointwise, vacuous))

    def measure_field(self, name: str, wanted: Stat) -> None:
        """Measure a field for the producer's own use, in the pass that the tests need anyway."""
        self._column(Name(name)).wanted |= wanted

    def expression(self, node: Node) -> Node:
        """Replace what must be measured, and `tol`, by the slot or value that holds it."""
        match node:
            case Name("tol"):
                return self._scaled_tolerance()
            case Call("old", (Name(name), *_)):
                return Name(f"old({name})")
            case Call(function, arguments) if not is_elementwise(function, len(arguments)):
                return self._call(function, arguments)
            case Unary(_, operand):
                return replace(node, operand=self.expression(operand))
            case Binary(_, left, right) | Compare(_, left, right):
                return replace(node, left=self.expression(left), right=self.expression(right))
            case Logical(_, operands):
                return replace(node, operands=tuple(map(self.expression, operands)))
            case Call(_, arguments):
                return replace(node, arguments=tuple(map(self.expression, arguments)))
            case Tuple(items):
                return replace(node, items=tuple(map(self.expression, items)))
            case _:
                return node

    def _call(self, function: str, arguments: tuple[Node, ...]) -> Node:
        kind = FUNCTIONS[function].kind
        if kind is FunctionKind.META:
            return self._meta(function, arguments)
        if kind is FunctionKind.ROWS:
            return self._row_reduction(function, tuple(map(self.expression, arguments)))
        operand = self.expression(arguments[0])
        if function in _REDUCTIONS:
            attribute, wanted, label = _REDUCTIONS[function]
            return self._statistic(operand, attribute, wanted, label)
        return self._truth_reduction(function, operand)

    def _truth_reduction(self, function: str, operand: Node) -> Node:
        truth = operand if is_truth(operand) else Compare("!=", operand, Number(0.0))
        match function, truth:
            case "all", Call("isfinite", (Name() as name,)):
                count = self._statistic(name, "nonfinite_count", Stat.COUNTS)
                return Compare("==", count, Number(0.0))
            case "any", Call("isnan" | "isinf" as test, (Name() as name,)):
                count = self._statistic(name, _COUNTS[test], Stat.COUNTS)
                return Compare(">", count, Number(0.0))
        if function == "all":
            return Compare(">=", self._statistic(truth, "lowest", Stat.RANGE, "all"), Number(1.0))
        if function == "any":
            return Compare(">=", self._statistic(truth, "highest", Stat.RANGE, "any"), Number(1.0))
        return self._statistic(truth, "total", Stat.SUM, "count")

    def _statistic(self, operand: Node, attribute: str, wanted: Stat, label: str = "") -> Slot:
        column = self._column(operand)
        column.wanted |= wanted
        slot, is_new = self._slot((attribute, operand), f"{label or attribute}({unparse(operand)})")
        if is_new:
            column.slots.append((attribute, slot.index))
        return slot

    def _column(self, operand: Node) -> Column:
        column = self._columns.get(operand)
        if column is None:
            column = self._columns[operand] = Column(operand)
            self.steps.append(column)
        return column

    def _row_reduction(self, function: str, operands: tuple[Node, ...]) -> Name:
        call = Call(function, operands)
        name = self._rows.get(call)
        if name is None:
            label = unparse(call)
            while label in self._labels:
                label += "'"  # the same text over another predicate's `tol`
            self._labels.add(label)
            name = self._rows[call] = Name(label)
            self.steps.append(Rows(function, operands, label))
        return name

    def _meta(self, function: str, arguments: tuple[Node, ...]) -> Slot:
        call = Call(function, arguments)
        slot, is_new = self._slot(call, unparse(call))
        if is_new:
            name, axis = arguments[0], arguments[-1]
            assert isinstance(name, Name)
            whole = int(axis.value) if isinstance(axis, Number) else None
            self.steps.append(Meta(function, name.id, whole, slot.index))
        return slot

    def _scaled_tolerance(self) -> Slot:
        calls = {n.function for n in walk(self._root) if isinstance(n, Call)}
        rows, everything = bool(calls & {"row_sums", "row_dots"}), bool(calls & {"sum", "mean"})
        names = tuple(sorted(field_names(self._root)))
        slot, is_new = self._slot((TOLERANCE, self._tolerance, rows, everything, names), TOLERANCE)
        if is_new:
            base = math.nan if self._tolerance is None else self._tolerance
            self.steps.append(Tolerance(base, names, rows, everything, slot.index))
        return slot

    def _slot(self, key: Hashable, label: str) -> tuple[Slot, bool]:
        """The slot for what `key` stands for, and whether it is a new one."""
        is_new = key not in self._slots
        if is_new:
            self._slots[key] = Slot(len(self._slots), label)
        return self._slots[key], is_new

    # -- extremes ----------------------------------------------------------------------------

    def _fast(self, pointwise: Node) -> tuple[Node, Slot | None]:
        """The same test over measured numbers alone, if its one field enters monotonically."""
        names = {n.id for n in walk(pointwise) if isinstance(n, Name)}
        if len(names) != 1:
            return pointwise, None
        name = names.pop()
        fast = self._extreme_test(pointwise, name)
        if fast is None:
            return pointwise, None
        return fast, self._statistic(Name(name), "count", Stat.COUNTS)

    def _extreme_test(self, node: Node, name: str) -> Node | None:
        if not _mentions(node, name):
            return node
        match node:
            case Logical("and", operands):
                parts = [self._extreme_test(operand, name) for operand in operands]
                known = tuple(part for part in parts if part is not None)
                return Logical("and", known) if len(known) == len(parts) else None
            case Call("isfinite", (Name(),)):
                count = self._statistic(Name(name), "nonfinite_count", Stat.COUNTS)
                return Compare("==", count, Number(0.0))
            case Unary("not", Call("isnan" | "isinf" as test, (Name(),))):
                count = self._statistic(Name(name), _COUNTS[test], Stat.COUNTS)
                return Compare("==", count, Number(0.0))
            case Compare(symbol, left, right) if symbol in _FLIPPED:
                if _mentions(left, name) and not _mentions(right, name):
                    return self._bound(symbol, left, right, name)
                if _mentions(right, name) and not _mentions(left, name):
                    return self._bound(_FLIPPED[symbol], right, left, name)
        return None

    def _bound(self, symbol: str, side: Node, other: Node, name: str) -> Node | None:
        """`side symbol other` for every element, `side` alone depending on the field.

        Both ends are tested, whichever way `side` runs: an infinite element may turn into NaN at
        the end that the comparison alone would not look at (Inf - Inf).
        """
        match side:
            case Call("abs", (inside,)) if symbol in ("<", "<=") and _is_monotone(inside, name):
                pass
            case _ if not _is_monotone(side, name):
                return None
        lowest = self._statistic(Name(name), "lowest", Stat.RANGE, "min")
        highest = self._statistic(Name(name), "highest", Stat.RANGE, "max")
        at_lowest = Compare(symbol, _put(side, name, lowest), other)
        at_highest = Compare(symbol, _put(side, name, highest), other)
        return Logical("and", (at_lowest, at_highest))


def field_names(node: Node) -> frozenset[str]:
    """Names that a producer must hand in; `tol` is ours."""
    names: set[str] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Call) and current.function == "old":
            names.add(unparse(current))
        elif isinstance(current, Name) and current.id != TOLERANCE:
            names.add(current.id)
        else:
            stack.extend(children(current))
    return frozenset(names)


def conjuncts(node: Node) -> list[Node]:
    """Parts that must each hold for every element: `a and b`, `all(e)`, `not any(e)` come apart.

    `all(a and b)` does not: where the one is empty, elements of the other do not count.
    """
    match node:
        case Logical("and", operands):
            return [part for operand in operands for part in conjuncts(operand)]
        case Call("all", (inner,)) if is_truth(inner):
            return [inner] if isinstance(inner, Logical) else conjuncts(inner)
        case Unary("not", Call("any", (inner,))) if is_truth(inner):
            return conjuncts(Unary("not", inner))
        case _:
            return [node]


def _mentions(node: Node, name: str) -> bool:
    return any(isinstance(part, Name) and part.id == name for part in walk(node))


def _is_monotone(node: Node, name: str) -> bool:
    """Whether the value never falls, or never rises, as the field grows.

    Rounding keeps that: IEEE 754 operations are monotone in each operand.
    """
    match node:
        case Name():
            return True
        case Unary("-", operand):
            return _is_monotone(operand, name)
        case Binary("+" | "-", left, right):
            if _mentions(left, name) == _mentions(right, name):
                return False
            return _is_monotone(left if _mentions(left, name) else right, name)
        case Binary("*" | "/", left, Number(factor)) | Binary("*", Number(factor), left):
            return factor != 0 and math.isfinite(factor) and _is_monotone(left, name)
        case _:
            return False


def _put(node: Node, name: str, value: Node) -> Node:
    """The tree with the field replaced; only shapes that `_bound` accepts."""
    match node:
        case Name(other):
            return value if other == name else node
        case Unary(_, operand):
            return replace(node, operand=_put(operand, name, value))
        case Binary(_, left, right):
            return replace(node, left=_put(left, name, value), right=_put(right, name, value))
        case Call(_, arguments):
            return replace(node, arguments=tuple(_put(a, name, value) for a in arguments))
        case _:
            return node
