"""Predicates as Python expressions over NumPy arrays and plain numbers.

A tree becomes Python's own syntax tree, never text pasted together, and `ast.unparse` writes it:
precedence and quoting are Python's business. The expressions call functions of `helpers`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping

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
from tracepact.predicate.functions import FUNCTIONS, FunctionKind
from tracepact.predicate.kinds import is_truth

_OPERATORS: dict[str, Callable[[], ast.operator]] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult}
_HELPERS = {"/": "_divide", "//": "_floor_divide", "%": "_remainder", "**": "_power"}
_COMPARISONS: dict[str, Callable[[], ast.cmpop]] = {
    "==": ast.Eq, "!=": ast.NotEq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE,
}  # fmt: skip
_UFUNCS = {"round": "rint"}
"""Names in NumPy where they are others."""

_NUMPY = frozenset({"sqrt", "exp", "log", "floor", "ceil", "round", "sign"})


def expression(node: Node, names: Mapping[str, str]) -> str:
    """Python source of a predicate, or of a part of one, on one line.

    Args:
        node: The tree.
        names: Python name of each field, of `old(x)`, of `tol`, and of `dtype(x)` where the tree
            asks for it: the dtype as it was before the field became float64.

    Raises:
        KeyError: A name is missing.
    """
    return ast.unparse(ast.fix_missing_locations(ast.Expression(_Writer(names).any(node))))


class _Writer:
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def any(self, node: Node) -> ast.expr:
        """An expression of whatever kind it is."""
        match node:
            case Number(value):
                return _number(value)
            case Text(value):
                return ast.Constant(value)
            case Name(name):
                return ast.Name(self.names[name])
            case Tuple(items):
                return ast.Tuple([_call("int", self.any(item)) for item in items], ast.Load())
            case Unary("-", operand):
                return ast.UnaryOp(ast.USub(), self.number(operand))
            case Unary(_, operand):
                return _call("_not", self.any(operand))
            case Binary(symbol, left, right) if symbol in _OPERATORS:
                return ast.BinOp(self.number(left), _OPERATORS[symbol](), self.number(right))
            case Binary(symbol, left, right):
                return _call(_HELPERS[symbol], self.number(left), self.number(right))
            case Compare(symbol, left, right):
                return ast.Compare(self.any(left), [_COMPARISONS[symbol]()], [self.any(right)])
            case Logical(symbol, operands):
                joined, *rest = map(self.truth, operands)
                for truth in rest:
                    operator = ast.BitAnd() if symbol == "and" else ast.BitOr()
                    joined = ast.BinOp(joined, operator, truth)
                return joined
            case Call(function, arguments):
                return self.call(function, arguments)
            case Slot():
                raise TypeError("only plans have slots")

    def number(self, node: Node) -> ast.expr:
        """An operand of arithmetic: truth values are 1.0 and 0.0 there."""
        plain = self.any(node)
        return ast.BinOp(plain, ast.Add(), ast.Constant(0.0)) if is_truth(node) else plain

    def truth(self, node: Node) -> ast.expr:
        """An operand of `and`, `or` or `all`: numbers other than 0 are true."""
        plain = self.any(node)
        if is_truth(node):
            return plain
        return ast.Compare(plain, [ast.NotEq()], [ast.Constant(0.0)])

    def call(self, function: str, arguments: tuple[Node, ...]) -> ast.expr:
        """A call of the closed list."""
        if FUNCTIONS[function].kind is FunctionKind.META:
            return self.question(function, arguments)
        if function in ("all", "any", "count"):
            truth = self.truth(arguments[0])
            if function == "count":
                return _call("_sum", ast.BinOp(truth, ast.Add(), ast.Constant(0.0)))
            return _call("_holds" if function == "all" else "_any", truth)
        if function == "where":
            condition, *branches = arguments
            return _call("_where", self.any(condition), *map(self.number, branches))
        values = [self.number(argument) for argument in arguments]
        if function in ("min", "max") and len(values) > 1:
            joined, *rest = values
            for value in rest:
                joined = _call("_least" if function == "min" else "_greatest", joined, value)
            return joined
        if function == "abs":
            return _call("abs", *values)
        if function in _NUMPY:
            return _call(f"np.{_UFUNCS.get(function, function)}", _call("_wide", *values))
        return _call(f"_{function}", *values)

    def question(self, function: str, arguments: tuple[Node, ...]) -> ast.expr:
        """A question about a field itself."""
        name = arguments[0]
        assert isinstance(name, Name), "the dialects see to it"
        if function == "old":
            return ast.Name(self.names[f"old({name.id})"])
        if function in ("dtype", "itemsize"):
            dtype = ast.Name(self.names[f"dtype({name.id})"])
            if function == "dtype":
                return ast.Attribute(dtype, "name", ast.Load())
            return _call("float", ast.Attribute(dtype, "itemsize", ast.Load()))
        field = ast.Name(self.names[name.id])
        if function == "len":
            return _call("_length", field)
        asked = _call(f"np.{function}", field)
        if function == "shape":
            if len(arguments) == 1:
                return asked
            axis = arguments[1]
            assert isinstance(axis, Number), "the dialects see to it"
            whole = ast.Constant(abs(int(axis.value)))
            index = ast.UnaryOp(ast.USub(), whole) if axis.value < 0 else whole
            asked = ast.Subscript(asked, index, ast.Load())
        return _call("float", asked)


def _number(value: float) -> ast.expr:
    if math.isnan(value):
        return ast.Name("np.nan")
    size: ast.expr = ast.Constant(abs(value)) if math.isfinite(value) else ast.Name("np.inf")
    return ast.UnaryOp(ast.USub(), size) if math.copysign(1.0, value) < 0 else size


def _call(function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function), list(arguments), [])
