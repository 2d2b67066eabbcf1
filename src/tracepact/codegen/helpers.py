"""Functions that exported modules carry with them: a copy of each one that they use.

They mean what `tracepact.predicate` and `tracepact.core` mean, on whole arrays instead of chunks.
A function may use others of this module, its constants, NumPy and builtins, nothing else. Plain
numbers stay Python floats as far as possible, so that symbolic tools can follow them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracepact.core.tolerance import ROUNDING, TERMS_PER_TOLERANCE

_ROUNDING = ROUNDING
_TERMS = TERMS_PER_TOLERANCE


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating, np.bool_))


def _field(value: Any) -> Any:
    """A number as a float, anything else as an array of float64; TypeError if it is neither."""
    if _is_number(value):
        return float(value)
    array = np.asarray(value)
    casting: Any = "unsafe" if array.dtype.name.startswith(("bfloat", "float")) else "same_kind"
    return array.astype(np.float64, casting=casting, copy=False)


def _copy(value: Any) -> Any:
    """What a function cannot change any more."""
    return float(value) if _is_number(value) else np.array(value)


def _dtype(value: Any) -> Any:
    return np.dtype(np.float64) if _is_number(value) else np.asarray(value).dtype


def _tolerance(base: float, *fields: Any, rows: bool = False, whole: bool = False) -> float:
    """The contract's tolerance, widened for narrow dtypes and for sums of many terms."""
    widest = 0.0
    for value in fields:
        if _is_number(value) or np.asarray(value).dtype.kind in "iub":
            continue
        array = np.asarray(value)
        terms = array.size if whole else array.shape[-1] if rows and array.ndim else 1
        roundoff, underflow = _ROUNDING.get(array.dtype.name, (0.0, 0.0))
        widest = max(widest, base * max(1.0, terms / _TERMS) + roundoff + underflow * terms)
    return widest or base


def _holds(*claims: Any) -> bool:
    """Whether every claim is true for every element."""
    return all(bool(np.all(c)) if isinstance(c, np.ndarray) else bool(c) for c in claims)


def _any(claim: Any) -> bool:
    return bool(np.any(claim)) if isinstance(claim, np.ndarray) else bool(claim)


def _not(claim: Any) -> Any:
    return np.logical_not(claim) if isinstance(claim, np.ndarray) else not claim


def _isfinite(x: Any) -> Any:
    return abs(x) < np.inf


def _isinf(x: Any) -> Any:
    return abs(x) == np.inf


def _isnan(x: Any) -> Any:
    return np.isnan(x) if isinstance(x, np.ndarray) else not (x < 0 or x >= 0)


def _wide(*values: Any) -> Any:
    arrays = [np.asarray(value, np.float64) for value in values]
    return arrays[0] if len(arrays) == 1 else arrays


def _are_numbers(*values: Any) -> bool:
    return not any(isinstance(value, np.ndarray) for value in values)


def _divide(a: Any, b: Any) -> Any:
    """Quotient as IEEE 754 has it: x / 0 is an infinity or NaN, never an exception."""
    if _are_numbers(a, b) and b != 0:
        return a / b
    return np.divide(*_wide(a, b))


def _floor_divide(a: Any, b: Any) -> Any:
    return np.floor_divide(*_wide(a, b))


def _remainder(a: Any, b: Any) -> Any:
    return np.mod(*_wide(a, b))


def _power(a: Any, b: Any) -> Any:
    if _are_numbers(a, b) and b == 2:
        return a * a
    return np.power(*_wide(a, b))


def _least(a: Any, b: Any) -> Any:
    """The smaller one, element by element; NaN if either is."""
    if _are_numbers(a, b):
        return a if a <= b else b if b < a else np.nan
    return np.minimum(a, b)


def _greatest(a: Any, b: Any) -> Any:
    if _are_numbers(a, b):
        return a if a >= b else b if b > a else np.nan
    return np.maximum(a, b)


def _where(condition: Any, a: Any, b: Any) -> Any:
    if _are_numbers(condition, a, b):
        return a if condition else b
    return np.where(condition, a, b)


def _min(x: Any) -> Any:
    return np.min(x, initial=np.inf) if isinstance(x, np.ndarray) else x


def _max(x: Any) -> Any:
    return np.max(x, initial=-np.inf) if isinstance(x, np.ndarray) else x


def _sum(x: Any) -> Any:
    return np.sum(x) if isinstance(x, np.ndarray) else x


def _mean(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.mean(x) if x.size else np.nan
    return x


def _std(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.std(x) if x.size else np.nan
    return x - x


def _norm(x: Any) -> Any:
    return _row_norms(x.ravel()) if isinstance(x, np.ndarray) else abs(x)


def _length(x: Any) -> float:
    return float(len(x)) if np.ndim(x) else 1.0


def _argmin(x: Any) -> float:
    return float(np.argmin(x)) if np.size(x) else -1.0


def _argmax(x: Any) -> float:
    return float(np.argmax(x)) if np.size(x) else -1.0


def _row_sums(x: Any) -> Any:
    return np.atleast_1d(_wide(x)).sum(axis=-1)


def _row_norms(x: Any) -> Any:
    """L2 norm of each row; a power of two keeps the squares of large and small numbers in range."""
    x = np.atleast_1d(_wide(x))
    exponent = np.frexp(np.max(np.abs(x), axis=-1, initial=0.0))[1]
    scaled = np.ldexp(x, -exponent[..., None])
    return np.ldexp(np.sqrt(np.einsum("...i,...i->...", scaled, scaled)), exponent)


def _row_min(x: Any) -> Any:
    return np.atleast_1d(_wide(x)).min(axis=-1, initial=np.inf)


def _row_max(x: Any) -> Any:
    return np.atleast_1d(_wide(x)).max(axis=-1, initial=-np.inf)


def _row_argmax(x: Any) -> Any:
    x = np.atleast_1d(_wide(x))
    if not x.shape[-1]:
        return np.full(x.shape[:-1], -1.0)
    return np.asarray(x.argmax(axis=-1), np.float64)


def _row_dots(x: Any, y: Any) -> Any:
    rows = np.broadcast_arrays(*(np.atleast_1d(value) for value in _wide(x, y)))
    left, right = (np.ascontiguousarray(array) for array in rows)
    return np.einsum("...i,...i->...", left, right)
