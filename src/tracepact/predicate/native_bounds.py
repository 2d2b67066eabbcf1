"""Tests over measured numbers that are no more than an interval."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from tracepact.predicate.ast import Call, Compare, Logical, Name, Node, Slot, Text, Tuple, walk
from tracepact.predicate.evaluate import compile_node
from tracepact.predicate.lower import Column, Lowering, Tolerance

Bounds: TypeAlias = tuple[float, float]
"""Lowest and highest number that holds, both included; NaN never does."""

NEVER: Bounds = (math.inf, -math.inf)
_FINITE: Bounds = (-sys.float_info.max, sys.float_info.max)
_ANY_NUMBER: Bounds = (-math.inf, math.inf)
_FLIPPED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def constant(node: Node, slots: Mapping[int, float]) -> float | None:
    """Value of an expression that reads nothing but these slots, by the Python plan's own rules."""
    for part in walk(node):
        match part:
            case Name() | Text() | Tuple():
                return None
            case Slot(index) if index not in slots:
                return None
    with np.errstate(all="ignore"):
        return float(compile_node(node)(slots, {}))  # type: ignore[arg-type]


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts of `a and b` over measured numbers."""
    if isinstance(node, Logical) and node.operator == "and":
        for operand in node.operands:
            yield from conjuncts(operand)
    else:
        yield node


def bounds_of(node: Node, slots: Mapping[int, float] | None = None) -> tuple[int, Bounds] | None:
    """The slot and its bounds, if a test compares one slot (or its abs) with a constant.

    Args:
        node: A test over slots.
        slots: Those whose values are known.
    """
    known = slots or {}
    match node:
        case Compare(symbol, left, right) if symbol in _FLIPPED:
            limit, side = constant(right, known), left
            if limit is None:
                limit, side, symbol = constant(left, known), right, _FLIPPED[symbol]
            if limit is None:
                return None
            match side:
                case Slot(index):
                    return index, _bounds(symbol, limit)
                case Call("abs", (Slot(index),)) if symbol in ("<", "<="):
                    _, highest = _bounds(symbol, limit)
                    return index, (-highest, highest)
    return None


def _bounds(symbol: str, limit: float) -> Bounds:
    if math.isnan(limit):
        return NEVER
    match symbol:
        case "==":
            return limit, limit
        case "<=":
            return -math.inf, limit
        case ">=":
            return limit, math.inf
        case "<":
            return NEVER if limit == -math.inf else (-math.inf, math.nextafter(limit, -math.inf))
        case _:
            return NEVER if limit == math.inf else (math.nextafter(limit, math.inf), math.inf)


def scalar_bounds(lowering: Lowering) -> dict[str, Bounds] | None:
    """Bounds by field that decide everything where all fields are numbers, if there are such.

    Of one number the lowest and the highest element are the number itself, and no tolerance is
    scaled.
    """
    known: dict[int, float] = {}
    sources: dict[int, tuple[str, str]] = {}
    for step in lowering.steps:
        match step:
            case Tolerance(base, slot=slot):
                known[slot] = base
            case Column(Name(name)):
                sources.update({slot: (attribute, name) for attribute, slot in step.slots})
            case _:
                return None
    bounds: dict[str, Bounds] = {}
    for test in lowering.tests:
        for part in conjuncts(test.fast):
            found = bounds_of(part, known)
            if found is None or found[0] not in sources:
                return None
            attribute, name = sources[found[0]]
            of_field = _of_field(attribute, found[1])
            if of_field is None:
                return None
            low, high = bounds.get(name, _ANY_NUMBER)
            bounds[name] = max(low, of_field[0]), min(high, of_field[1])
    return bounds


def _of_field(attribute: str, bounds: Bounds) -> Bounds | None:
    if attribute in ("lowest", "highest"):
        return bounds
    if bounds != (0.0, 0.0):
        return None
    return {"nonfinite_count": _FINITE, "nan_count": _ANY_NUMBER}.get(attribute)
