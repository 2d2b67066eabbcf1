"""The Python core: defines the meaning of every statistic, in NumPy and float64.

Arrays are read in chunks, so that measuring a large tensor needs no second one beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tracepact.core.arrays import as_array, is_scalar
from tracepact.core.stats import Stat, TensorStats
from tracepact.types import Array, FloatArray

CHUNK_ELEMENTS = 1 << 16
_SAFE_SQUARE = 1e150
"""Below this a float64 can be squared and summed without overflow."""
_BLAS_ELEMENTS = 8_192
_MAX_GROWTH = 64
_MAX_SMALL = 1 << 24


def dot(x: FloatArray, y: FloatArray) -> float:
    """Inner product of two vectors, in one thread.

    Above 10 000 elements BLAS shares the work among threads; on a busy machine waiting for them
    took 14 ms where the product takes 0.02.
    """
    return float(x.dot(y) if x.size <= _BLAS_ELEMENTS else np.einsum("i,i->", x, y))


def measure(value: Any, wanted: Stat = Stat.FULL) -> TensorStats:
    """Statistics of all elements of a tensor or number.

    Args:
        value: Any shape (0-d and empty too), real dtype, any strides; or one number.
        wanted: Which groups to compute; counts are always there.

    Raises:
        TypeError: The elements are not real numbers.

    One pass in chunks of 64 Ki elements, O(n) time, O(1) extra memory. Integers beyond 2**53 are
    rounded to float64.
    """
    if is_scalar(value):
        return TensorStats.of_scalar(float(value))
    array = as_array(value)
    with np.errstate(all="ignore"):
        if array.size <= CHUNK_ELEMENTS:
            return measure_chunk(np.asarray(array, np.float64).ravel(), wanted)
        stats = TensorStats()
        for (chunk,) in chunks(array):
            stats.add(measure_chunk(chunk, wanted))
    return stats


def broadcast_shape(*arrays: Array) -> tuple[int, ...]:
    """Shape that arrays have together.

    Raises:
        ValueError: The shapes do not fit together, or small arrays would become a huge one: a
            contract must not be able to make work that its fields do not have.
    """
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    elements = math.prod(shape)
    if elements > max(_MAX_SMALL, _MAX_GROWTH * sum(array.size for array in arrays)):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(
            f"shapes {shapes} broadcast to {elements} elements; reduce them before combining them"
        )
    return shape


def chunks(*arrays: Array) -> Iterator[tuple[FloatArray, ...]]:
    """Broadcast arrays against each other and walk them together in C order.

    Yields:
        One float64 vector an array, each of the same length, at most 64 Ki elements. The vectors
        are reused: take what you need before the next step.

    Raises:
        ValueError: The shapes do not fit together.
    """
    broadcast_shape(*arrays)
    walk = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readonly"]] * len(arrays),
        op_dtypes=[np.dtype(np.float64)] * len(arrays),
        casting="unsafe",
        order="C",
        buffersize=CHUNK_ELEMENTS,
    )
    with walk:
        for step in walk:
            yield step if isinstance(step, tuple) else (step,)


def measure_chunk(x: FloatArray, wanted: Stat) -> TensorStats:
    """Statistics of one float64 vector."""
    stats = TensorStats(count=x.size, measured=wanted | Stat.COUNTS)
    if not x.size:
        return stats
    if wanted & Stat.ARGS:
        stats.argmin, stats.argmax = int(x.argmin()), int(x.argmax())
    square = dot(x, x)
    if not math.isfinite(square):
        # Either something is not finite, or a square overflowed.
        stats.nan_count = int(np.count_nonzero(np.isnan(x)))
        stats.posinf_count = int(np.count_nonzero(x == np.inf))
        stats.neginf_count = int(np.count_nonzero(x == -np.inf))
        x = x[np.isfinite(x)]
        if not x.size:
            return stats
    if wanted & (Stat.RANGE | Stat.MOMENTS | Stat.ARGS):
        stats.min, stats.max = float(x.min()), float(x.max())
    if wanted & (Stat.SUM | Stat.MOMENTS):
        stats.sum = float(x.sum())
    if wanted & Stat.MOMENTS:
        _moments(stats, x, square)
    return stats


def _moments(stats: TensorStats, x: FloatArray, square: float) -> None:
    largest = max(-stats.min, stats.max)
    if 1 / _SAFE_SQUARE < largest < _SAFE_SQUARE or largest == 0:
        stats.mean = stats.sum / x.size
        distance = x - stats.mean
        stats.m2 = dot(distance, distance)
        stats.l2 = math.sqrt(square if math.isfinite(square) else dot(x, x))
        return
    # Squares would leave float64's range: work on a copy scaled to 1 by a power of two.
    exponent = math.frexp(largest)[1]
    scaled = np.ldexp(x, -exponent)
    mean = float(scaled.mean())
    distance = scaled - mean
    with np.errstate(over="ignore"):
        stats.mean = float(np.ldexp(mean, exponent))
        stats.m2 = float(np.ldexp(dot(distance, distance), 2 * exponent))
        stats.l2 = float(np.ldexp(math.sqrt(dot(scaled, scaled)), exponent))


def row_reduce(
    function: str,
    *arrays: Array,
    transform: Callable[..., Sequence[FloatArray]] | None = None,
) -> FloatArray:
    """Reduce along the last axis, in float64.

    Args:
        function: `row_sums`, `row_norms`, `row_min`, `row_max`, `row_argmax` or `row_dots`.
        arrays: Broadcast against each other to [..., n]; a 0-d array counts as one row of one
            element.
        transform: Called with a float64 block of each array; yields what is reduced, one block of
            the same shape (two for `row_dots`). Without it the arrays themselves are reduced.

    Returns:
        float64 [...]. A row without elements sums to 0, has a minimum of Inf, a maximum of -Inf
        and an argmax of -1.

    Raises:
        ValueError: The shapes do not fit together.

    One pass in blocks; O(n) time, extra memory of one block (of one row for `row_argmax`).
    """
    shape = arrays[0].shape
    if not shape or any(array.shape != shape for array in arrays):
        broadcast_shape(*arrays)
        arrays = np.broadcast_arrays(*(np.atleast_1d(array) for array in arrays))
        shape = arrays[0].shape
    result = np.empty(shape[:-1], np.float64)
    width = shape[-1]
    if width == 0:
        result.fill(_EMPTY_ROW.get(function, 0.0))
        return result
    step = CHUNK_ELEMENTS if function in _JOIN else width
    with np.errstate(all="ignore"):
        for index in _row_blocks(shape):
            rows = [array[index] for array in arrays]
            for start in range(0, width, step):
                part = slice(start, start + step)
                blocks = [np.asarray(row[..., part], np.float64) for row in rows]
                reduced = _REDUCERS[function](*(transform(*blocks) if transform else blocks))
                result[index] = _JOIN[function](result[index], reduced) if start else reduced
    return result


def row_sum_error(weights: Any) -> float:
    """Largest |Σ_j w_ij − 1| over all rows.

    Args:
        weights: [..., n], any real dtype; rows along the last axis.

    Returns:
        0.0 without rows; NaN if a row has one.

    One pass, O(n). Source: softmax-kernel-v1, obligation "Output sums to 1".
    """
    errors = np.abs(row_reduce("row_sums", as_array(weights)) - 1.0)
    return float(errors.max()) if errors.size else 0.0


def _row_blocks(shape: tuple[int, ...]) -> Iterator[tuple[int | slice, ...]]:
    """Indices that cut the leading axes into blocks of at most a chunk of elements (or one row)."""
    if math.prod(shape) <= CHUNK_ELEMENTS or len(shape) == 1:
        yield (Ellipsis,)  # type: ignore[misc]
        return
    inner = math.prod(shape[1:])
    if inner > CHUNK_ELEMENTS and len(shape) > 2:
        for i in range(shape[0]):
            for rest in _row_blocks(shape[1:]):
                yield (i, *rest)
        return
    step = max(1, CHUNK_ELEMENTS // max(inner, 1))
    for start in range(0, shape[0], step):
        yield (slice(start, start + step),)


def _norms(x: FloatArray) -> FloatArray:
    squares = np.einsum("...i,...i->...", x, x)
    if not squares.size or 1e-280 < squares.min() <= squares.max() < math.inf:
        return np.asarray(np.sqrt(squares))
    largest = np.abs(x).max(axis=-1, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    scaled = x / np.where(usable, largest, 1.0)
    norms = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))
    return np.asarray(np.where(usable[..., 0], norms * largest[..., 0], largest[..., 0]))


_REDUCERS: dict[str, Callable[..., Any]] = {
    "row_sums": lambda x: x.sum(axis=-1),
    "row_norms": _norms,
    "row_min": lambda x: x.min(axis=-1),
    "row_max": lambda x: x.max(axis=-1),
    "row_argmax": lambda x: x.argmax(axis=-1),
    # einsum would take the factor of a constant operand out of the sum, and lose 0 * Inf.
    "row_dots": lambda x, y: np.einsum(
        "...i,...i->...", np.ascontiguousarray(x), np.ascontiguousarray(y)
    ),
}
_JOIN: dict[str, Callable[..., Any]] = {
    "row_sums": np.add,
    "row_norms": np.hypot,
    "row_min": np.minimum,
    "row_max": np.maximum,
    "row_dots": np.add,
}
_EMPTY_ROW = {"row_min": math.inf, "row_max": -math.inf, "row_argmax": -1.0}
