"""What domain and preconditions say about inputs: shapes, sizes, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tracepact.codegen.scaffold.fields import shape_of
from tracepact.contracts import Condition, Contract, Equation
from tracepact.predicate import PredicateError, parse_formula
from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Unary,
    walk,
)
from tracepact.predicate.evaluate import compile_node

ELLIPSIS: Final = "..."
INFINITY: Final = float("inf")

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_INEQUALITY: Final = re.compile(r"\b([A-Za-z_]\w*)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d*)?(?:e-?\d+)?)\b")
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}

Dim: TypeAlias = tuple[str, int]
"""A field and one of its axes."""


@dataclass(slots=True)
class Limits:
    """What the elements of one field may be.

    Attributes:
        lower: Bounds from below; with each, whether it is excluded.
        upper: Bounds from above, likewise.
        is_finite: Neither infinities nor NaN.
        has_finite_rows: At least one finite element a row.
        has_masked: At least one element is -inf.
        is_whole: Whole numbers: the domain says so, or they count up to a size.
    """

    lower: list[tuple[Node, bool]] = field(default_factory=list)
    upper: list[tuple[Node, bool]] = field(default_factory=list)
    is_finite: bool = False
    has_finite_rows: bool = False
    has_masked: bool = False
    is_whole: bool = False


@dataclass(slots=True)
class Domain:
    """The inputs of an equation, as far as they are understood.

    Attributes:
        limits: By field.
        shapes: Axes by field, as sizes are called; `...` stands for any leading axes.
        multiples: Sizes that are a multiple of another size or number.
        counts: Fields that are the length of an axis.
    """

    limits: dict[str, Limits] = field(default_factory=dict)
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    multiples: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, Dim] = field(default_factory=dict)

    def of(self, name: str) -> Limits:
        """Limits of a field; none where nothing is said about it."""
        return self.limits.setdefault(name, Limits())


def read_domain(
    contract: Contract,
    equations: Sequence[Equation],
    conditions: Iterable[Condition],
    names: Sequence[str],
) -> Domain:
    """What a contract says about the inputs of equations.

    Args:
        contract: Its other equations are asked for shapes too, where these name none.
        equations: Those whose function is called, the one that is tested first.
        conditions: Their preconditions.
        names: The fields that are inputs.
    """
    domain = Domain()
    places = [*equations, *(e for e in contract.equations.values() if e not in equations)]
    for name in names:
        text = next((found for e in places if (found := shape_of(name, e))), "")
        if text:
            domain.shapes[name] = _axes(text)
    nodes = [part for c in conditions for part in _conjuncts(c.predicate.node)]
    _share_shapes(domain, nodes, names)
    for node in nodes:
        _read(node, domain)
    for equation in equations:
        _read_text(equation.domain, domain, names)
    for axes in domain.shapes.values():
        for axis in axes:
            name, _, divisor = axis.replace(" ", "").partition("/")
            if divisor.isdigit():
                domain.multiples.append((name, divisor))
    return domain


def size(axis: str, sizes: Mapping[str, int]) -> int | None:
    """Length of an axis called `n`, `4` or `heads * hd`; None where that is no whole number."""
    if axis.isdigit():
        return int(axis)
    if _NAME.fullmatch(axis):
        return sizes[axis]
    found = evaluate(_expression(axis), sizes)
    return int(found) if found is not None and found == int(found) else None


def size_names(axis: str) -> list[str]:
    """The sizes that an axis depends on.

    Raises:
        PredicateError: It is no expression.
    """
    if _NAME.fullmatch(axis):
        return [axis]
    return [part.id for part in walk(_expression(axis)) if isinstance(part, Name)]


def evaluate(
    node: Node, values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> float | None:
    """An expression over numbers and sizes; None where it looks at something else."""
    try:
        plain = _with_sizes(node, shapes or {})
        return float(compile_node(plain)([], values))
    except (KeyError, IndexError, AssertionError, TypeError, ValueError, OverflowError):
        return None


def _read_text(text: str, domain: Domain, names: Sequence[str]) -> None:
    """What the words of a domain say of fields: `eps > 0`, `whole numbers`."""
    for name, operator, number in _INEQUALITY.findall(text):
        if name in names:
            _read_compare(operator, Name(name), Number(float(number)), domain)
    for phrase in text.split(";"):
        for name in names if "whole" in phrase else ():
            if re.search(rf"\b{re.escape(name)}\b", phrase):
                domain.of(name).is_whole = True
    for name in names:
        limits = domain.of(name)
        limits.is_whole |= any(strict and _asks_sizes(node) for node, strict in limits.upper)


def _expression(text: str) -> Node:
    return parse_formula(f"size = {text}").node


def _axes(text: str) -> tuple[str, ...]:
    inner = text.strip()[1:-1].replace("…", ELLIPSIS)
    return tuple(part.strip() for part in inner.split(","))


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, Logical) and node.operator == "and":
        for operand in node.operands:
            yield from _conjuncts(operand)
    else:
        yield node


def _share_shapes(domain: Domain, nodes: Sequence[Node], names: Sequence[str]) -> None:
    """Give fields of the same shape the same axes."""
    for node in nodes:
        match node:
            case Compare("==", Call("shape", (Name(left),)), Call("shape", (Name(right),))):
                pass
            case _:
                continue
        known = domain.shapes.get(left) or domain.shapes.get(right)
        is_stated = any(name in domain.shapes for name in names)
        if known is None and not is_stated and {left, right} <= set(names):
            known = (ELLIPSIS, "n")  # the contract names no shape at all: any will do
        if known is not None:
            domain.shapes[left] = domain.shapes[right] = known


def _read(node: Node, domain: Domain) -> None:
    match node:
        case Call("all", (claim,)) if not isinstance(claim, Compare):
            for part in _conjuncts(claim):
                _read_finite(part, domain)
        case Call("all", (claim,)):
            _read(claim, domain)
        case Call("any", (Compare("==", Name(name), value),)) if evaluate(value, {}) == -INFINITY:
            domain.of(name).has_masked = True
        case Compare("==", Binary("%", left, right), Number(0.0)):
            _read_multiple(left, right, domain)
        case Compare(operator, left, right) if operator in _FLIPPED:
            _read_compare(operator, left, right, domain)
            _read_compare(_FLIPPED[operator], right, left, domain)
        case _:
            _read_finite(node, domain)


def _read_finite(node: Node, domain: Domain) -> None:
    if isinstance(node, Call) and node.function == "isfinite":
        for part in walk(node):
            if isinstance(part, Name):
                domain.of(part.id).is_finite = True


def _read_compare(operator: str, left: Node, right: Node, domain: Domain) -> None:
    strict = operator in ("<", ">")
    match left:
        case Name(name) if operator in ("<", "<="):
            domain.of(name).upper.append((right, strict))
        case Name(name) if operator in (">", ">="):
            domain.of(name).lower.append((right, strict))
        case Name(name) if operator == "==" and (dim := _dim(right)) is not None:
            domain.counts[name] = dim
        case Call("abs", (Name(name),)) if operator in ("<", "<="):
            domain.of(name).upper.append((right, strict))
            domain.of(name).lower.append((Unary("-", right), strict))
        case Call("row_max" | "max", (Name(name),)) if operator == ">":
            if evaluate(right, {}) == -INFINITY:
                domain.of(name).has_finite_rows = True
        case _ if operator == "==":
            one, other = _dim(left), _dim(right)
            if one is not None and other is not None:
                _unify(domain, one, other)


def _read_multiple(left: Node, right: Node, domain: Domain) -> None:
    one, other = _size_name(left, domain), _size_name(right, domain)
    if one is not None and other is not None:
        domain.multiples.append((one, other))


def _size_name(node: Node, domain: Domain) -> str | None:
    match node:
        case Number(value) if value == int(value):
            return str(int(value))
        case Name(name):
            return name
    dim = _dim(node)
    return None if dim is None else _axis(domain, dim)


def _dim(node: Node) -> Dim | None:
    match node:
        case Call("len", (Name(name),)):
            return name, 0
        case Call("shape", (Name(name), axis)):
            index = evaluate(axis, {})
            return None if index is None else (name, int(index))
    return None


def _axis(domain: Domain, dim: Dim) -> str | None:
    axes = domain.shapes.get(dim[0], ())
    if not -len(axes) <= dim[1] < len(axes) or (ELLIPSIS in axes and dim[1] >= 0):
        return None
    return axes[dim[1]]


def _unify(domain: Domain, one: Dim, other: Dim) -> None:
    """Call two axes by one name, wherever both have one."""
    left, right = _axis(domain, one), _axis(domain, other)
    if left is None or right is None or left == right:
        return
    if not (_NAME.fullmatch(left) and _NAME.fullmatch(right)):
        return
    for name, axes in domain.shapes.items():
        domain.shapes[name] = tuple(left if axis == right else axis for axis in axes)


def _asks_sizes(node: Node) -> bool:
    return any(isinstance(p, Call) and p.function in ("len", "shape", "size") for p in walk(node))


def _with_sizes(node: Node, shapes: Mapping[str, tuple[int, ...]]) -> Node:
    """The expression with numbers for the sizes it asks for."""
    dim = _dim(node)
    if dim is not None:
        return Number(float(shapes[dim[0]][dim[1]]))
    match node:
        case Unary(operator, operand):
            return Unary(operator, _with_sizes(operand, shapes))
        case Binary(operator, left, right):
            return Binary(operator, _with_sizes(left, shapes), _with_sizes(right, shapes))
    return node


__all__ = [
    "ELLIPSIS",
    "INFINITY",
    "Domain",
    "Limits",
    "PredicateError",
    "evaluate",
    "read_domain",
    "size",
    "size_names",
]
