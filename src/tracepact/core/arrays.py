"""Anything that holds numbers becomes a NumPy view, without a copy where that is possible."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tracepact.types import Array

_SCALARS = (int, float, np.number, np.bool_)


def is_scalar(value: object) -> bool:
    """Whether a value is one real number (a Python or NumPy scalar, or a truth value)."""
    return isinstance(value, _SCALARS) and not isinstance(value, np.complexfloating)


def as_array(value: Any) -> Array:
    """View a value as a real-valued array.

    Args:
        value: NumPy array, number, sequence of numbers, or anything that speaks the array
            interface, the buffer protocol or DLPack.

    Raises:
        TypeError: The elements are not real numbers.

    No copy for arrays; O(1).
    """
    # `np.asarray` also sheds subclasses, whose arithmetic is another: matrices, masked arrays.
    array = np.asarray(value) if isinstance(value, np.ndarray) else _convert(value)
    # ml_dtypes registers bfloat16 and the float8 types with kind 'V' (void).
    if array.dtype.kind in "fiub" or array.dtype.name.startswith(("bfloat", "float")):
        return array
    raise TypeError(f"cannot measure {type(value).__name__} with elements of type {array.dtype}")


def _convert(value: Any) -> Array:
    if type(value).__module__.startswith("torch"):
        return _from_torch(value)
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _from_torch(tensor: Any) -> Array:
    tensor = tensor.detach().resolve_neg()
    if str(tensor.dtype) != "torch.bfloat16":
        array: Array = tensor.numpy()
        return array
    import ml_dtypes  # noqa: PLC0415 - only where NumPy has no such type; the extra `torch` has it

    bits: Array = tensor.view(sys.modules["torch"].int16).numpy()
    return bits.view(ml_dtypes.bfloat16)
