"""Arrays and numbers that find faults: special values, magnitudes of real models, odd rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tracepact.types import Array

INFINITY: Final = math.inf

LARGEST_USUAL: Final = 22_500.0
"""Largest activation that is met in language models: finite inputs go that far, where not told.

Source: Sun et al. 2024, Massive Activations in Large Language Models, arXiv:2402.17762.
"""

SMALLEST_USUAL: Final = 1e-12
"""Smallest magnitude where the orders are not told: products of two are still normal numbers."""

_GRID: Final = 256
"""Elements of exact inputs are multiples of 1/256: their sums are exact in float32."""

_EXACT_LIMIT: Final = 16_384.0

Draw: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What the elements of an array may be.

    Attributes:
        lowest: Smallest value, -inf for "whatever".
        highest: Largest value, inf for "whatever".
        excludes_lowest: The smallest value itself is out.
        excludes_highest: The largest value itself is out.
        is_whole: Integers.
        is_open: Orders of magnitude up to the largest of the dtype.
        is_masked: Elements may be -inf.
        has_masked: At least one is.
        has_finite_rows: At least one element a row is finite.
        is_exact: Multiples of 1/256 of moderate size.
    """

    lowest: float = -INFINITY
    highest: float = INFINITY
    excludes_lowest: bool = False
    excludes_highest: bool = False
    is_whole: bool = False
    is_open: bool = False
    is_masked: bool = False
    has_masked: bool = False
    has_finite_rows: bool = False
    is_exact: bool = False

    def range_of(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """Smallest and largest element of a floating dtype."""
        largest = _largest(dtype)
        usual = largest if self.is_open else min(LARGEST_USUAL, largest / 4)
        usual = _EXACT_LIMIT if self.is_exact else usual
        low = max(self.lowest, -largest) if self.lowest > -INFINITY else -usual
        high = min(self.highest, largest) if self.highest < INFINITY else usual
        return min(low, high), max(low, high)


ANY_VALUES: Final = Values()


def numbers(values: Values = ANY_VALUES) -> st.SearchStrategy[Any]:
    """One number: a Python int or float."""
    if values.is_whole:
        first, last = _whole_range(values)
        return st.integers(first, last) if first <= last else st.nothing()
    usual = [1.0, 0.5, 2.0, 1e-5, 1e-6, 1e-12, 0.0, -1.0, 0.125, 100.0]
    low, high = values.range_of(np.dtype(np.float32))
    if values.highest == INFINITY and values.lowest >= 0:
        high = max(low, 100.0)
    fitting = [value for value in usual if _fits(value, values) and low <= value <= high]
    if low == 0 and values.excludes_lowest:
        low = min(SMALLEST_USUAL, high)
    free = st.floats(low, high).filter(lambda value: _fits(value, values))
    free = free.map(lambda value: 0.0 if abs(value) < SMALLEST_USUAL else value)
    return st.sampled_from(fitting) | free if fitting else free


def arrays(
    draw: Draw, shape: tuple[int, ...], dtype: Any = np.float32, values: Values = ANY_VALUES
) -> Array:
    """One array.

    Args:
        draw: Hypothesis' `draw`.
        shape: Its shape.
        dtype: Any NumPy dtype, also those of `ml_dtypes`.
        values: What its elements may be.
    """
    dtype = np.dtype(dtype)
    if values.is_whole or dtype.kind in "iu":
        return _whole(draw, shape, dtype, values)
    low, high = values.range_of(dtype)
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return np.full(shape, low, dtype)
    with np.errstate(all="ignore"):
        made: Array = draw(st.sampled_from(_PATTERNS))(draw, shape, dtype, low, high)
        made = np.clip(made, low, high)
        if values.is_exact:
            made = np.round(made * _GRID) / _GRID
        if not values.is_open:
            made = np.where(np.abs(made) < SMALLEST_USUAL, 0.0, made)
        made = made.astype(dtype)
        _keep_off(made, values)
    _mask(draw, made, values)
    return made


def _whole(draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], values: Values) -> Array:
    kind = dtype if dtype.kind in "iu" else np.dtype(np.int64)
    info = np.iinfo(kind)
    first, last = _whole_range(values)
    first, last = max(first, int(info.min)), min(last, int(info.max))
    found: Array = draw(hnp.arrays(kind, shape, elements=st.integers(first, max(first, last))))
    return found.astype(dtype)


def _whole_range(values: Values) -> tuple[int, int]:
    """First and last whole number; some tens of them where the range has no end."""
    first = 0 if values.lowest == -INFINITY else math.ceil(values.lowest)
    first += int(values.excludes_lowest and first == values.lowest)
    last = first + 64 if values.highest == INFINITY else math.floor(values.highest)
    last -= int(values.excludes_highest and last == values.highest)
    return first, last


# -- patterns, the one that shrinks best first --------------------------------------------------


def _free(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """Every element by itself, special values among them."""
    width: Literal[32, 64] = 64 if dtype == np.float64 else 32
    kind = np.float64 if width == 64 else np.float32
    low, high = _inside(low, kind, up=True), _inside(high, kind, up=False)
    special = [float(v) for v in _special_values(dtype) if low <= v <= high]
    free = st.floats(low, high, width=width)
    elements = st.sampled_from(special) | free if special else free
    found: Array = draw(hnp.arrays(kind, shape, elements=elements))
    return found.astype(np.float64)


def _normal(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """Normally distributed, as activations mostly are."""
    return _random(draw, shape, low, high)


def _large(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """All of them near the ends of the range."""
    made = _random(draw, shape, low, high)
    return np.asarray(np.where(made < 0, low, high) * (1 - np.abs(made) / 32))


def _mixed_scales(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """From very small to very large in one row, as where a few channels dominate."""
    generator = _generator(draw)
    powers = generator.uniform(-6.0, math.log10(max(abs(low), abs(high), 1e-6)), shape)
    return np.asarray(generator.choice((-1.0, 1.0), shape) * 10.0**powers)


def _tiny(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """So small that only an epsilon keeps a quotient finite."""
    return np.asarray(_random(draw, shape, -1.0, 1.0) * draw(st.sampled_from((1e-4, 1e-8, 1e-11))))


def _nearly_equal(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """Elements that differ in the last places."""
    centre = draw(st.sampled_from((1.0, -1.0, 0.0, 300.0, high, low)))
    return np.asarray(centre * (1 + 1e-6 * _random(draw, shape, -1.0, 1.0)))


def _one_stands_out(
    draw: Draw, shape: tuple[int, ...], dtype: np.dtype[Any], low: float, high: float
) -> Array:
    """One element a row is far above the others, so that the others vanish beside it."""
    made = np.full(shape, max(low, min(0.0, high)))
    if made.size:
        made[..., draw(st.integers(0, shape[-1] - 1)) if shape else ...] = high
    return made


_PATTERNS: Final = (
    _free,
    _normal,
    _large,
    _mixed_scales,
    _tiny,
    _nearly_equal,
    _one_stands_out,
)


def _generator(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**16)))


def _random(draw: Draw, shape: tuple[int, ...], low: float, high: float) -> Array:
    found: Array = np.round(_generator(draw).standard_normal(shape), 3)
    if low >= 0:
        return np.asarray(low + np.abs(found) * min(1.0, (high - low) / 4))
    return found


def _special_values(dtype: np.dtype[Any]) -> list[float]:
    smallest = 2.0**-149 if dtype.itemsize <= 4 else 2.0**-1074
    usual = [0.0, 1.0, -1.0, -0.0, 0.5, 1e4, -1e4, LARGEST_USUAL, -LARGEST_USUAL]
    return [*usual, smallest, -smallest, _largest(dtype), -_largest(dtype)]


def _largest(dtype: np.dtype[Any]) -> float:
    if dtype.kind == "f":
        return float(np.finfo(dtype).max)
    return 3.3895313892515355e38 if dtype.name == "bfloat16" else float(np.finfo(np.float32).max)


def _inside(value: float, kind: type[np.floating[Any]], *, up: bool) -> float:
    """The nearest number of a type that is not beyond the value."""
    near = kind(value)
    if (near < value) if up else (near > value):
        near = np.nextafter(near, kind(INFINITY if up else -INFINITY))
    return float(near)


def _fits(value: float, values: Values) -> bool:
    above = value > values.lowest or (value == values.lowest and not values.excludes_lowest)
    below = value < values.highest or (value == values.highest and not values.excludes_highest)
    return above and below


def _keep_off(made: Array, values: Values) -> None:
    """Move elements off the ends that are excluded."""
    one = made.dtype.type
    if values.excludes_lowest and math.isfinite(values.lowest):
        least = one(0.0 if values.is_open else SMALLEST_USUAL)
        beside = np.nextafter(one(values.lowest), one(INFINITY))
        made[made <= one(values.lowest)] = max(beside, one(values.lowest) + least)
    if values.excludes_highest and math.isfinite(values.highest):
        made[made >= one(values.highest)] = np.nextafter(one(values.highest), one(-INFINITY))


def _mask(draw: Draw, made: Array, values: Values) -> None:
    """Put -inf where it may be: nowhere, anywhere, or everywhere but in one place a row."""
    if not (values.is_masked and made.size and made.ndim):
        return
    how = draw(st.sampled_from(("some", "all but one") if values.has_masked else _MASKS))
    if how == "none":
        return
    width = made.shape[-1]
    masked = _generator(draw).random(made.shape) < (1.0 if how == "all but one" else 0.3)
    if values.has_masked:
        masked[(0,) * made.ndim] = True
    if values.has_finite_rows:
        full = masked.all(axis=-1)
        masked[full, draw(st.integers(0, width - 1))] = False
    made[masked] = -INFINITY


_MASKS: Final = ("none", "some", "all but one")
