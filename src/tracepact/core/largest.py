"""The largest elements of a vector."""

from __future__ import annotations

import numpy as np

from tracepact.core.select import native_core
from tracepact.types import Array


def largest(values: Array, k: int) -> Array:
    """Indices of the k largest elements, largest first; of equal ones the first goes first.

    Args:
        values: [n], real.
        k: At most n.

    NaN counts as larger than any number, as `np.argsort` has it. O(n).
    """
    native = native_core()
    found = None if native is None else native.largest(values, k)
    if found is not None:
        return np.array(found, np.intp)
    bound = np.partition(values, values.size - k)[values.size - k]
    # Not all that equal the bound may be among the k; a stable sort keeps the first ones.
    candidates = np.flatnonzero(~(values < bound))
    order = np.argsort(-values[candidates].astype(np.float64), kind="stable")
    missing = np.isnan(values[candidates][order])
    return np.asarray(candidates[np.concatenate((order[missing], order[~missing]))][:k])


def largest_share(values: Array, bounds: Array) -> float:
    """Largest |value / bound| in float64; 0 of any bound is 0, and NaN wins.

    Args:
        values: [n], real; n >= 1.
        bounds: [n], real.

    O(n).
    """
    native = native_core()
    found: float | None = None if native is None else native.largest_share(values, bounds)
    if found is not None:
        return found
    with np.errstate(all="ignore"):
        shares = np.abs(values.astype(np.float64) / bounds.astype(np.float64))
        return float(np.where(values == 0, 0.0, shares).max())
