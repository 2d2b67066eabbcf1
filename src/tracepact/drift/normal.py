"""Predicates in a normal form, so that two ways to write one claim are equal, and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from tracepact.errors import TracepactError
from tracepact.predicate import PredicateError, parse_predicate
from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Tuple,
    Unary,
    unparse,
    walk,
)
from tracepact.predicate.lower import TOLERANCE, conjuncts
from tracepact.predicate.plan import compile_value

_TURNED: Final = {">": "<", ">=": "<="}
_COMMUTING: Final = frozenset(("+", "*"))


@dataclass(frozen=True, slots=True)
class Claim:
    """One conjunct of a predicate.

    Attributes:
        key: Its normal form as text; equal for claims that say the same as far as it goes.
        node: The same as a tree; None for a text that no dialect understands.
    """

    key: str
    node: Node | None


def claims_of(text: str) -> tuple[Claim, ...]:
    """The parts of a predicate that must all hold; the whole text where it is no predicate."""
    return _claims_of(text, ())


def renamed_claims(text: str, names: Mapping[str, str]) -> tuple[Claim, ...]:
    """The same after fields were renamed."""
    return _claims_of(text, tuple(sorted(names.items())))


@lru_cache(maxsize=8192)
def _claims_of(text: str, names: tuple[tuple[str, str], ...]) -> tuple[Claim, ...]:
    try:
        node = parse_predicate(text).node
    except PredicateError:
        return (Claim(" ".join(text.split()), None),)
    table = dict(names)
    parts = [normal(_rebuilt(part, lambda each: _named(each, table))) for part in conjuncts(node)]
    return tuple(Claim(unparse(part), part) for part in parts)


def normal(node: Node) -> Node:
    """Comparisons point one way, and operands stand in order where order does not matter.

    Sums and products are not regrouped, since rounding depends on that, and `not a < b` stays,
    since it is not `a >= b` where one of them is NaN.
    """
    return _rebuilt(node, _ordered)


def _ordered(node: Node) -> Node:
    match node:
        case Compare(">" | ">=" as symbol, left, right):
            return Compare(_TURNED[symbol], right, left)
        case Compare("==" | "!=" as symbol, left, right):
            first, second = _sorted(left, right)
            return Compare(symbol, first, second)
        case Binary(symbol, left, right) if symbol in _COMMUTING:
            first, second = _sorted(left, right)
            return Binary(symbol, first, second)
        case Call("abs", (Binary("-", left, right),)):
            first, second = _sorted(left, right)
            return Call("abs", (Binary("-", first, second),))
        case Call("min" | "max" as function, arguments) if len(arguments) > 1:
            return Call(function, _sorted(*arguments))
        case Logical(symbol, operands):
            return Logical(symbol, tuple(dict.fromkeys(_sorted(*operands))))
        case _:
            return node


def _named(node: Node, names: Mapping[str, str]) -> Node:
    return replace(node, id=names[node.id]) if isinstance(node, Name) and node.id in names else node


def _rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with a change made to every node, from the leaves up."""
    match node:
        case Unary(_, operand):
            node = replace(node, operand=_rebuilt(operand, change))
        case Binary(_, left, right) | Compare(_, left, right):
            node = replace(node, left=_rebuilt(left, change), right=_rebuilt(right, change))
        case Logical(_, operands):
            node = replace(node, operands=tuple(_rebuilt(each, change) for each in operands))
        case Call(_, arguments):
            node = replace(node, arguments=tuple(_rebuilt(each, change) for each in arguments))
        case Tuple(items):
            node = replace(node, items=tuple(_rebuilt(each, change) for each in items))
    return change(node)


def _sorted(*nodes: Node) -> tuple[Node, ...]:
    return tuple(sorted(nodes, key=unparse))


@dataclass(frozen=True, slots=True)
class Bound:
    """A claim that keeps something on one side of a number.

    Attributes:
        subject: What is bounded, and from which side.
        room: Grows with what is allowed: (number, whether the number itself is).
    """

    subject: tuple[str, bool]
    room: tuple[float, bool]


def bound_of(claim: Claim, tolerance: float | None) -> Bound | None:
    """The claim as a bound; None if it is none, or `tol` is not known."""
    if not isinstance(claim.node, Compare) or claim.node.operator not in ("<", "<="):
        return None
    closed = claim.node.operator == "<="
    upper, lower = (
        _value(claim.node.right, tolerance),
        _value(claim.node.left, tolerance),
    )
    if (upper is None) == (lower is None):
        return None
    if upper is not None:
        return Bound((unparse(claim.node.left), True), (upper, closed))
    assert lower is not None
    return Bound((unparse(claim.node.right), False), (-lower, closed))


def _value(node: Node, tolerance: float | None) -> float | None:
    """What a side without fields comes to."""
    names = {each.id for each in walk(node) if isinstance(each, Name)}
    if names - {TOLERANCE} or (names and tolerance is None):
        return None
    known = Number(math.nan if tolerance is None else tolerance)
    plain = _rebuilt(node, lambda n: known if isinstance(n, Name) else n)
    try:
        value = compile_value(plain)({})
    except TracepactError:
        return None
    return None if math.isnan(value) else value
