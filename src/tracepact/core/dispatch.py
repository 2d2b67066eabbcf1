"""Measuring by the core that serves: in C what it understands, else by `tracepact.core.python`.

That module defines the meaning of every figure. Counts, extremes and their places are the same
natively. Sums agree within 5e-7 of the sum of the magnitudes (elements that fit into float32 are
summed in float32, at most 32 at a time, and those sums in float64), or 1e-13 for wider
elements. Means and norms agree within 1e-13, dot products within 1e-12 of the sum of the
magnitudes, m2 within 1e-9 of itself and a deviation of 1e-14 of the largest element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracepact.core import python
from tracepact.core.arrays import as_array, is_scalar
from tracepact.core.select import native_core
from tracepact.core.stats import Stat, TensorStats
from tracepact.types import Array, FloatArray

_STATS = [Stat(bits) for bits in range((Stat.FULL | Stat.ARGS).value + 1)]


def measure(value: Any, wanted: Stat = Stat.FULL) -> TensorStats:
    """Statistics of all elements of a tensor or number.

    Args:
        value: Any shape (0-d and empty too), real dtype, any strides; or one number.
        wanted: Which groups to compute; counts are always there.

    Raises:
        TypeError: The elements are not real numbers.

    One pass, O(n) time, O(1) extra memory; in two threads from 16 MiB on, unless OMP_NUM_THREADS is
    1 or the process is bound to one processor. Integers beyond 2**53 are rounded to float64.
    """
    native = native_core()
    if native is None:
        return python.measure(value, wanted)
    bits: int = wanted._value_
    figures = native.measure(value, bits)
    if figures is None:
        if is_scalar(value):
            return TensorStats.of_scalar(float(value))
        array = as_array(value)
        figures = native.measure(array, bits)
        if figures is None:
            return python.measure(array, wanted)
    stats = TensorStats(*figures)
    stats.measured = _STATS[figures[-1]]
    return stats


def row_reduce(
    function: str,
    *arrays: Array,
    transform: Callable[..., Sequence[FloatArray]] | None = None,
) -> FloatArray:
    """Reduce along the last axis, in float64; see `core.python.row_reduce`.

    Natively without a transform, and for `row_dots` if both arrays have one shape or one of them is
    a single row; one pass.
    """
    native = native_core()
    if native is not None and transform is None and len(arrays) <= 2:
        rows: FloatArray | None = native.row_reduce(function, *arrays)
        if rows is not None:
            return rows
    return python.row_reduce(function, *arrays, transform=transform)
