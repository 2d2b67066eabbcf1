"""Turn an expression tree into a function of measured numbers and arrays.

Arithmetic is float64 throughout (never Python's unbounded integers, whose powers a hostile contract
could make arbitrarily large), and follows IEEE 754: x / 0 is Inf or NaN, never an exception.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Slot,
    Text,
    Tuple,
    Unary,
)
from tracepact.predicate.functions import FUNCTIONS
from tracepact.predicate.kinds import is_truth

Evaluator: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Called with the slots and the named values."""

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}


def compile_node(node: Node) -> Evaluator:
    """Compile a tree whose calls are all elementwise (lowering has replaced the others).

    The caller wraps evaluation in `np.errstate(all="ignore")`.
    """
    match node:
        case Number(value) | Text(value):
            return lambda slots, values: value
        case Slot(index):
            return lambda slots, values: slots[index]
        case Name(name):
            return lambda slots, values: values[name]
        case Unary("-", operand):
            inner = _number(operand)
            return lambda slots, values: -inner(slots, values)
        case Unary(_, operand):
            inner = compile_node(operand)
            return lambda slots, values: np.logical_not(inner(slots, values))
        case Binary(symbol, left, right):
            return _pair(_ARITHMETIC[symbol], _number(left), _number(right))
        case Compare(symbol, left, right):
            return _pair(_COMPARE[symbol], compile_node(left), compile_node(right))
        case Logical(symbol, operands):
            return _logical(symbol, [compile_node(o) for o in operands])
        case Tuple(items):
            parts = [compile_node(item) for item in items]
            return lambda slots, values: tuple(int(part(slots, values)) for part in parts)
        case Call(function, arguments):
            compute = FUNCTIONS[function].compute
            assert compute is not None, f"{function} must have been lowered"
            if function == "where":
                condition, *branches = arguments
                return _call(compute, [compile_node(condition), *map(_number, branches)])
            return _call(compute, [_number(a) for a in arguments])


def _number(node: Node) -> Evaluator:
    """Compile an operand of arithmetic: truth values are 1.0 and 0.0 there.

    NumPy's own arithmetic on truth values is another: True + True is True, their difference an
    error, and exp(True) a float16.
    """
    evaluate = compile_node(node)
    if not is_truth(node):
        return evaluate
    return lambda slots, values: evaluate(slots, values) + 0.0


def _pair(compute: Callable[[Any, Any], Any], left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda slots, values: compute(left(slots, values), right(slots, values))


def _logical(symbol: str, parts: list[Evaluator]) -> Evaluator:
    combine = np.logical_and if symbol == "and" else np.logical_or

    def evaluate(slots: Sequence[Any], values: Mapping[str, Any]) -> Any:
        result = parts[0](slots, values)
        for part in parts[1:]:
            result = combine(result, part(slots, values))
        return result

    return evaluate


def _call(compute: Callable[..., Any], parts: list[Evaluator]) -> Evaluator:
    if len(parts) == 1:
        only = parts[0]
        return lambda slots, values: compute(only(slots, values))
    return lambda slots, values: compute(*(part(slots, values) for part in parts))
