"""Trees of predicates and formulas evaluated over arrays of anything that has an arithmetic.

With NumPy's operations elements are numbers; with `terms.Terms` they are what z3 knows about.
Shapes are always concrete, so shape, len and the extent of a sum are plain numbers in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from tracepact.predicate.ast import Binary, Call, Compare, Logical, Name, Number, Tuple, Unary
from tracepact.prove.formula import At, Definition, Index, Indexed, Over, Term, walk_term
from tracepact.prove.proof import Undecidable

Values: TypeAlias = Mapping[str, Any]
Operations: TypeAlias = Mapping[str, Callable[..., Any]]


class Arithmetic(Protocol):
    """What elements can do; every operation works on arrays, element by element."""

    operations: Operations

    def number(self, value: float) -> Any:
        """A literal."""


_MAX_CALLS: Final = 8
_META: Final = frozenset({"len", "size", "ndim", "shape", "itemsize", "dtype"})
_REDUCTIONS: Final = {
    "sum": "+", "max": "max", "min": "min", "all": "and", "any": "or", "mean": "", "std": "",
    "var": "", "norm": "", "count": "", "argmax": "", "argmin": "",
}  # fmt: skip
"""With the operation that folds them, where it takes no more."""


def _bfloat16(x: Any) -> Any:
    """Rounded to the nearest bfloat16, ties to even; stored as float32."""
    bits = x.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32)).astype(np.float32)


class NumPyArithmetic:
    """float64, by the functions of NumPy; conversions and integers keep their types."""

    operations: Operations = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "//": np.floor_divide,
        "%": np.mod,
        "**": np.power,
        "==": np.equal,
        "!=": np.not_equal,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "and": np.logical_and,
        "or": np.logical_or,
        "not": np.logical_not,
        "neg": np.negative,
        "abs": np.abs,
        "sqrt": np.sqrt,
        "exp": np.exp,
        "log": np.log,
        "floor": np.floor,
        "ceil": np.ceil,
        "round": np.rint,
        "sign": np.sign,
        "isfinite": np.isfinite,
        "isnan": np.isnan,
        "isinf": np.isinf,
        "max": np.maximum,
        "min": np.minimum,
        "where": np.where,
        "Phi": np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float]),
        "float16": lambda x: x.astype(np.float16),
        "float32": lambda x: x.astype(np.float32),
        "float64": lambda x: x.astype(np.float64),
        "bfloat16": _bfloat16,
    }

    def number(self, value: float) -> float:
        """The number itself."""
        return value


class Algebra:
    """Evaluates trees.

    Args:
        arithmetic: Of the elements.
        functions: Definitions that formulas may call, by name; None where trees are predicates,
            whose reductions are over whole fields and not along rows.
    """

    def __init__(
        self, arithmetic: Arithmetic, functions: Mapping[str, Definition] | None = None
    ) -> None:
        self._arithmetic = arithmetic
        self._functions = functions or {}
        self._in_formulas = functions is not None
        self._indices = ""
        self._extents: dict[str, int] = {}
        self._calls = 0

    def define(self, definition: Definition, values: Values) -> Any:
        """The value of a definition.

        Raises:
            Undecidable: A function that is not known, or shapes that do not fit.
        """
        outer = self._indices, self._extents
        nodes = list(walk_term(definition.body))
        bound = dict.fromkeys(node.index for node in nodes if isinstance(node, Over))
        self._indices = definition.indices + "".join(bound)
        self._extents = {
            index: size
            for node in nodes
            if isinstance(node, Indexed)
            for index, size in zip(
                reversed(node.indices), reversed(_field(values, node.id).shape), strict=False
            )
        }
        try:
            found = np.asarray(self.value(definition.body, values))
            match definition.body:
                case Call(function, (_,)) if function in _REDUCTIONS and found.ndim:
                    found = found[..., 0]  # the whole result is one number a row
            return self._in_order(found, definition.indices)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise Undecidable(f"the formula cannot be computed: {error}") from None
        finally:
            self._indices, self._extents = outer

    def _in_order(self, found: Any, wanted: str) -> Any:
        """Drop the axes of indices that were reduced, keep those of the result in its order."""
        count = len(self._indices)
        if not count:
            return found
        found = found.reshape((1,) * max(0, count - found.ndim) + found.shape)
        first = found.ndim - count
        gone = [first + k for k, index in enumerate(self._indices) if index not in wanted]
        # The indices of the result come first in `self._indices`, in their order.
        return found.squeeze(tuple(gone))

    def apply(self, operation: str, *operands: Any) -> Any:
        """One operation, element by element."""
        compute = self._arithmetic.operations.get(operation)
        if compute is None:
            raise Undecidable(f"'{operation}' is not known to the solver")
        with np.errstate(all="ignore"):
            return np.asarray(compute(*operands))

    def value(self, node: Term, values: Values) -> Any:
        """Value of a tree: an array, or one element; for `shape` a tuple."""
        match node:
            case Number(number):
                return np.asarray(self._arithmetic.number(number))
            case Name(name):
                return _field(values, name)
            case Index(index):
                return self._counted(index)
            case Indexed(name, indices):
                return self._indexed(_field(values, name), indices)
            case Unary("T", operand):
                matrix = self.value(operand, values)
                return np.swapaxes(matrix, -1, -2) if matrix.ndim > 1 else matrix
            case Unary(operator, operand):
                return self.apply("neg" if operator == "-" else "not", self.value(operand, values))
            case Binary("@", left, right):
                return self._juxtaposed(self.value(left, values), self.value(right, values))
            case Compare(operator, left, right) if isinstance(left, Tuple) or isinstance(
                right, Tuple
            ):
                return self._shapes(operator, left, right, values)
            case Compare(operator, Call("shape", (Name(),)) as left, Call() as right):
                return self._shapes(operator, left, right, values)
            case Binary(operator, left, right) | Compare(operator, left, right):
                return self.apply(operator, self.value(left, values), self.value(right, values))
            case Logical(operator, operands):
                parts = (self.value(operand, values) for operand in operands)
                return reduce(lambda a, b: self.apply(operator, a, b), parts)
            case Over(function, index, body):
                axis = self._indices.index(index) - len(self._indices)
                inner = self.value(body, values)
                return np.expand_dims(self._reduce(function, inner, axis), axis)
            case At(table, rows):
                return self._rows_of(self.value(table, values), self.value(rows, values))
            case Call(function, arguments):
                return self._call(function, arguments, values)
        raise Undecidable("a text cannot be compared by the solver")

    # -- shapes ------------------------------------------------------------------------------

    def _shapes(self, operator: str, left: Term, right: Term, values: Values) -> Any:
        same = self._shape(left, values) == self._shape(right, values)
        return np.asarray(same if operator == "==" else not same)

    def _shape(self, node: Term, values: Values) -> tuple[int, ...]:
        match node:
            case Call("shape", (Name(name),)):
                return tuple(_field(values, name).shape)
            case Tuple(items):
                return tuple(int(self.value(item, values)[()]) for item in items)
        raise Undecidable("a shape is compared with something else")

    def _indexed(self, array: Any, indices: str) -> Any:
        if array.ndim < len(indices):
            raise ValueError(f"an array of {array.ndim} axes has {len(indices)} indices")
        batch = array.ndim - len(indices)
        order = sorted(range(len(indices)), key=lambda k: self._indices.index(indices[k]))
        array = array.transpose(*range(batch), *(batch + k for k in order))
        sizes = iter(array.shape[batch:])
        own = tuple(next(sizes) if index in indices else 1 for index in self._indices)
        return array.reshape(array.shape[:batch] + own)

    def _counted(self, index: str) -> Any:
        """The values of an index, along its axis."""
        if index not in self._extents:
            raise Undecidable(f"the index {index!r} belongs to no field")
        numbers = [self._arithmetic.number(k) for k in range(self._extents[index])]
        shape = [1] * len(self._indices)
        shape[self._indices.index(index)] = len(numbers)
        return np.array(numbers).reshape(shape)

    def _juxtaposed(self, left: Any, right: Any) -> Any:
        if self._indices or not (left.ndim and right.ndim):
            return self.apply("*", left, right)
        if left.shape[-1] != right.shape[-2 if right.ndim > 1 else -1]:
            raise ValueError(f"{left.shape} times {right.shape}")
        if right.ndim == 1:
            return self._reduce("sum", self.apply("*", left, right), -1)
        # [m, k, 1] times [k, n]
        return self._reduce("sum", self.apply("*", left[..., :, None], right), -2)

    def _rows_of(self, table: Any, rows: Any) -> Any:
        if table.ndim == 0 or rows.size == 0:
            raise Undecidable("rows of what is no table")
        if rows.dtype != object:
            whole = rows.astype(np.int64)
            if ((whole < 0) | (whole >= len(table))).any():
                raise Undecidable("a row that the table does not have")
            return table[whole]
        rows = rows.reshape(rows.shape + (1,) * (table.ndim - 1))
        found = np.broadcast_to(
            table[0], rows.shape[: rows.ndim - table.ndim + 1] + table.shape[1:]
        )
        for number in range(1, len(table)):
            here = self.apply("==", rows, np.asarray(self._arithmetic.number(number)))
            found = self.apply("where", here, table[number], found)
        return found

    # -- calls -------------------------------------------------------------------------------

    def _call(self, function: str, arguments: tuple[Any, ...], values: Values) -> Any:
        if function == "old" or function in _META:
            return self._meta(function, arguments, values)
        given = [self.value(argument, values) for argument in arguments]
        if function in self._functions:
            return self._defined(self._functions[function], given)
        if function == "row_dots":
            return self._reduce("sum", self.apply("*", *given), -1)
        if len(given) == 1 and function.startswith("row_"):
            kind = {"sums": "sum", "norms": "norm"}.get(function[4:], function[4:])
            return self._reduce(kind, given[0], -1)
        if len(given) == 1 and function in _REDUCTIONS:
            if self._in_formulas and given[0].ndim:
                return np.expand_dims(self._reduce(function, given[0], -1), -1)
            return self._reduce(function, given[0].reshape(-1), -1)
        if function in ("max", "min"):
            return reduce(lambda a, b: self.apply(function, a, b), given)
        return self.apply(function, *given)

    def _meta(self, function: str, arguments: tuple[Any, ...], values: Values) -> Any:
        name = arguments[0].id
        if function == "old":
            return _field(values, f"old({name})")
        shape = _field(values, name).shape
        match function:
            case "len":
                found = shape[0] if shape else 1
            case "size":
                found = math.prod(shape)
            case "ndim":
                found = len(shape)
            case "shape" if len(arguments) == 2:
                axis = int(arguments[1].value)
                if not -len(shape) <= axis < len(shape):
                    raise ValueError(f"{name} has no axis {axis}")
                found = shape[axis]
            case _:
                raise Undecidable(f"{function}({name}) is not known to the solver")
        return np.asarray(self._arithmetic.number(found))

    def _defined(self, definition: Definition, given: list[Any]) -> Any:
        if len(given) != len(definition.parameters):
            raise Undecidable(f"{definition.function} takes {len(definition.parameters)} arguments")
        if self._calls >= _MAX_CALLS:
            raise Undecidable(f"{definition.function} calls itself, or calls go too deep")
        self._calls += 1
        try:
            return self.define(definition, dict(zip(definition.parameters, given, strict=True)))
        finally:
            self._calls -= 1

    def _reduce(self, function: str, array: Any, axis: int) -> Any:
        """A reduction along one axis; of an index (`sum_k`) the axis stays, with one element."""
        array = np.asarray(array)
        if not array.ndim or not array.shape[axis]:
            raise ValueError("a reduction of nothing")
        parts = list(np.moveaxis(array, axis, 0))
        count = np.asarray(self._arithmetic.number(len(parts)))
        match function:
            case "mean" | "var" | "std":
                mean = self.apply("/", self._fold("+", parts), count)
                if function == "mean":
                    return mean
                apart = [self.apply("-", part, mean) for part in parts]
                var = self.apply("/", self._fold("+", self._squares(apart)), count)
                return var if function == "var" else self.apply("sqrt", var)
            case "norm":
                return self.apply("sqrt", self._fold("+", self._squares(parts)))
            case "count":
                one, zero = (np.asarray(self._arithmetic.number(n)) for n in (1, 0))
                return self._fold("+", [self.apply("where", part, one, zero) for part in parts])
            case "argmax" | "argmin":
                return self._place_of(function, parts)
        return self._fold(_REDUCTIONS[function], parts)

    def _fold(self, operation: str, parts: list[Any]) -> Any:
        return np.asarray(reduce(lambda a, b: self.apply(operation, a, b), parts))

    def _squares(self, parts: list[Any]) -> list[Any]:
        return [self.apply("*", part, part) for part in parts]

    def _place_of(self, function: str, parts: list[Any]) -> Any:
        """Index of the first extreme."""
        best, place = parts[0], np.asarray(self._arithmetic.number(0))
        for number, part in enumerate(parts[1:], 1):
            better = self.apply(">" if function == "argmax" else "<", part, best)
            best = self.apply("where", better, part, best)
            here = np.asarray(self._arithmetic.number(number))
            place = self.apply("where", better, here, place)
        return place


def _field(values: Values, name: str) -> Any:
    if name not in values:
        raise Undecidable(f"{name!r} is used before it is defined")
    return np.asarray(values[name])
