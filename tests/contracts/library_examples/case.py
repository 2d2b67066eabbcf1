"""What the example modules of this folder are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracepact.types import Array

Fields = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Examples for one equation of the shipped library.

    Attributes:
        contract: Stem.
        equation: Name of the equation.
        good: Fields of a correct computation on random data; every predicate holds.
        bad: For each postcondition (by the property of its obligation) and each precondition (as
            written), the fields of `good` that a fault replaces; that very one is violated.
        bounded: Fields of correct computations on *all* inputs up to a size, in one batch or one
            after the other; every predicate holds.
        bound: How many values each free input of `bounded` takes.
    """

    contract: str
    equation: str
    good: Fields
    bad: dict[str, Fields]
    bounded: Fields | list[Fields]
    bound: int = 5

    @property
    def id(self) -> str:
        """How tests and contract files name this case."""
        return f"{self.contract}-{self.equation}"


def rng() -> np.random.Generator:
    """A generator that yields the same numbers in every run."""
    return np.random.default_rng(20261122)


def normal(*shape: int, scale: float = 1.0) -> Array:
    """Random float32 numbers."""
    return (scale * rng().standard_normal(shape)).astype(np.float32)


def grid(columns: int, values: int = 5) -> Array:
    """Every row of `columns` whole numbers around 0.

    Float32 [values**columns, columns]; the numbers run from -(values // 2) on.
    """
    axes = np.indices((values,) * columns).reshape(columns, -1).T
    return (axes - values // 2).astype(np.float32)


def whole(columns: int, values: int = 5) -> tuple[Array, ...]:
    """Every combination of `columns` whole numbers from 1 to `values`, one array a column."""
    return tuple(1 + np.indices((values,) * columns).reshape(columns, -1))


def planted(array: Array, index: Any, value: Any) -> Array:
    """A copy with one place overwritten."""
    copy = array.copy()
    copy[index] = value
    return copy


def scaled(array: Array, index: Any, factor: float = 0.93) -> Array:
    """A copy with one place (most often a row) scaled."""
    copy = array.copy()
    copy[index] *= factor
    return copy
