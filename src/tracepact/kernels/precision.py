"""How the kernels of this package round: once, at the end."""

from __future__ import annotations

import numpy as np

from tracepact.types import Array, FloatArray


def wide(x: Array) -> FloatArray:
    """The numbers of any real dtype in float64, in which all of these kernels compute."""
    return np.asarray(x).astype(np.float64)


def narrow(exact: FloatArray, *inputs: Array) -> Array:
    """A result rounded to the type of its inputs; float64 where these are whole numbers.

    Args:
        exact: In float64.
        inputs: Arrays, or Python numbers, which have no say in the type.
    """
    dtypes = [x.dtype for x in inputs if isinstance(x, np.ndarray | np.generic)]
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float64)
    if dtype.kind in "biu":
        return exact
    with np.errstate(over="ignore", under="ignore"):  # a narrow type may not hold the number
        return np.asarray(exact).astype(dtype)
