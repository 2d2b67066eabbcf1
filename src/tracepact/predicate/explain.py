"""After a failure: which element it was, and what was measured. The slow face of a test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracepact.core import TensorStats
from tracepact.predicate.ast import Slot, unparse, walk
from tracepact.predicate.plan import CompiledTest, PlanResult, evaluated_chunks


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one condition does not hold.

    Attributes:
        condition: Index of the condition in its plan.
        measured: Numbers that the test looked at, by their text (`"max(ret)"`, `"ret[2, 5]"`).
        index: First offending element, or None if the test is about the whole field.
        text: One line for people.
    """

    condition: int
    measured: dict[str, Any]
    index: tuple[int, ...] | None
    text: str


def explain(test: CompiledTest, result: PlanResult) -> Failure:
    """Explain a failed test.

    Walks the fields once more up to the first offending element; extra memory of one chunk. Fields
    that only left statistics behind are explained by these.
    """
    with np.errstate(all="ignore"):
        index, where = _first_false(test, result)
    measured = {**where, **_measured(test, result)}
    facts = ", ".join(f"{name} = {_short(value)}" for name, value in measured.items())
    claim = unparse(test.test.pointwise)
    return Failure(
        test.test.condition, measured, index, f"{facts}: {claim} is false" if facts else claim
    )


def _first_false(
    test: CompiledTest, result: PlanResult
) -> tuple[tuple[int, ...] | None, dict[str, Any]]:
    values = [result.values[name] for name in test.names]
    if not values or any(isinstance(value, TensorStats) for value in values):
        return None, {}
    seen = 0
    shape = np.broadcast_shapes(*(np.shape(value) for value in values))
    for chunk in evaluated_chunks(test.pointwise, test.names, result):
        truths = np.ravel(chunk).astype(bool, copy=False)
        if not truths.all():
            flat = seen + int(np.argmin(truths))
            index = tuple(int(i) for i in np.unravel_index(flat, shape))
            return (index if shape else None), _at(index, shape, result, test.names)
        seen += truths.size
    return None, {}


def _at(
    index: tuple[int, ...], shape: tuple[int, ...], result: PlanResult, names: tuple[str, ...]
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in names:
        value = result.values[name]
        if isinstance(value, np.ndarray) and value.ndim:
            # A broadcast axis has one element, whatever the index along it.
            own = index[len(shape) - value.ndim :]
            own = tuple(min(i, n - 1) for i, n in zip(own, value.shape, strict=True))
            facts[f"{name}[{', '.join(map(str, own))}]"] = float(value[own])
        else:
            facts[name] = float(value)
    return facts


def _measured(test: CompiledTest, result: PlanResult) -> dict[str, Any]:
    slots = {
        part.label: part.index
        for tree in (test.test.pointwise, test.test.fast)
        for part in walk(tree)
        if isinstance(part, Slot)
    }
    return {label: _plain(result.slots[index]) for label, index in slots.items()}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | np.number) else value


def _short(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def first_failures(result: PlanResult) -> list[Failure]:
    """One explanation a failed condition: of its first test that does not hold."""
    seen: dict[int, Failure] = {}
    for test in result.failed:
        if test.test.condition not in seen:
            seen[test.test.condition] = explain(test, result)
    return list(seen.values())
