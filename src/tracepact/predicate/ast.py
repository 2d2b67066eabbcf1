"""The expression tree that every dialect yields.

Chained comparisons, intervals and `close` are rewritten by the dialects, so this tree stays small.
Positions are offsets into the text that was parsed; they take no part in equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; truth values are 1.0 and 0.0."""

    value: float
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, only ever compared with `dtype(x)`."""

    value: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A field that the producer hands in, or `tol`."""

    id: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Slot:
    """A number that a plan has measured; never written by a dialect, only by lowering."""

    index: int
    label: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: Node
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic: `+ - * / // % **`."""

    operator: str
    left: Node
    right: Node
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison: `== != < <= > >=`."""

    operator: str
    left: Node
    right: Node
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Logical:
    """`and` or `or` over two or more operands."""

    operator: str
    operands: tuple[Node, ...]
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the closed list in `functions`."""

    function: str
    arguments: tuple[Node, ...]
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Tuple:
    """A tuple, only ever compared with `shape(x)`."""

    items: tuple[Node, ...]
    offset: int = field(default=0, compare=False)


Node: TypeAlias = Number | Text | Name | Slot | Unary | Binary | Compare | Logical | Call | Tuple


def children(node: Node) -> tuple[Node, ...]:
    """Direct children, left to right."""
    match node:
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Logical(_, operands):
            return operands
        case Call(_, arguments):
            return arguments
        case Tuple(items):
            return items
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


_PRECEDENCE = {
    "or": 1, "and": 2, "not": 3,
    "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "neg": 7, "**": 8,
}  # fmt: skip


def unparse(node: Node) -> str:
    """Canonical text of a tree in the Python dialect; parsing it again yields an equal tree."""
    return _unparse(node, 0)


def _unparse(node: Node, outer: int) -> str:
    match node:
        case Number(value):
            text = _number(value)
            return f"({text})" if value < 0 and outer > _PRECEDENCE["neg"] else text
        case Text(value):
            quote = "'" if '"' in value else '"'
            return f"{quote}{value}{quote}"
        case Name(text) | Slot(_, text):
            return text
        case Call(function, arguments):
            return f"{function}({', '.join(_unparse(a, 0) for a in arguments)})"
        case Tuple(items):
            inner = ", ".join(_unparse(item, 0) for item in items)
            return f"({inner},)" if len(items) == 1 else f"({inner})"
        case Unary(operator, operand):
            own = _PRECEDENCE["neg" if operator == "-" else operator]
            text = ("-" if operator == "-" else "not ") + _unparse(operand, own)
        case Binary("**", left, right):
            own = _PRECEDENCE["**"]
            text = f"{_unparse(left, own + 1)} ** {_unparse(right, own - 1)}"
        case Binary(operator, left, right):
            own = _PRECEDENCE[operator]
            text = f"{_unparse(left, own)} {operator} {_unparse(right, own + 1)}"
        case Compare(operator, left, right):
            own = _PRECEDENCE[operator]
            text = f"{_unparse(left, own + 1)} {operator} {_unparse(right, own + 1)}"
        case Logical(operator, operands):
            own = _PRECEDENCE[operator]
            text = f" {operator} ".join(_unparse(o, own + 1) for o in operands)
    return f"({text})" if own < outer else text


def _number(value: float) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
