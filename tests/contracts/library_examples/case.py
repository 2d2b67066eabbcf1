"""What the example modules of this folder are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
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
        bounded: Yields the fields of the kernel's computations on *all* inputs of a grid, in one
            batch or one after the other; every predicate holds.
        bound: How many values each free input of the grid takes at most.
        grid: Which inputs these are, as the harnesses of the contract say it.
    """

    contract: str
    equation: str
    good: Fields
    bad: dict[str, Fields]
    bounded: Callable[[], Iterable[Fields]]
    bound: int
    grid: str

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


def rows(columns: int, *values: float) -> Array:
    """Every row of `columns` of these values: float32 [len(values)**columns, columns]."""
    return np.array(list(product(values, repeat=columns)), np.float32)


def matrices(height: int, width: int, *values: float) -> Array:
    """Every matrix of these values: float32 [len(values)**(height * width), height, width]."""
    return rows(height * width, *values).reshape(-1, height, width)


def every_float16() -> Array:
    """Every number that float16 holds, both zeros and infinities among them, as float32."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return every[~np.isnan(every)].astype(np.float32)


def between_float16() -> Array:
    """Every finite float16, and points a quarter, half and 3/4 of the way to the next: float32."""
    every = every_float16().astype(np.float64)
    every = np.sort(every[np.isfinite(every)])
    steps = every[:-1] + np.diff(every) * np.array([0, 0.25, 0.5, 0.75])[:, None]
    return steps.ravel().astype(np.float32)


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
