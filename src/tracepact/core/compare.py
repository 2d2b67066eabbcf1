"""How far one tensor is from another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from tracepact.core.arrays import as_array
from tracepact.core.python import chunks, dot
from tracepact.core.select import native_core
from tracepact.types import Array

_BLOCK: Final = 32

_Sums: TypeAlias = tuple[int, float, float, float, float, int, float, float]
"""Elements; Σ ref², Σ value², Σ ref·value, Σ err²; where |err| is largest, that, and the largest
|ref| of that block."""


@dataclass(frozen=True, slots=True)
class ErrorStats:
    """Distance of a tensor from its reference, in float64.

    Attributes:
        mse: Mean squared error.
        max_abs_error: Largest absolute error.
        worst_index: Flat index (C order) of the element that has it.
        cosine: Cosine similarity; 1 if both are all zero, 0 if one is.
        snr_db: Signal-to-noise ratio in dB, 10·log10(Σ ref² / Σ err²); Inf without error.
        relative_error: Frobenius norm of the error over that of the reference.
        block_max: Largest |element| of the reference in the block of 32 that holds `worst_index`;
            NaN if there is one.
    """

    mse: float
    max_abs_error: float
    worst_index: int
    cosine: float
    snr_db: float
    relative_error: float
    block_max: float


def compare(reference: Any, value: Any) -> ErrorStats:
    """Compare two tensors of one shape; NaN in either makes every figure NaN.

    Raises:
        ValueError: The shapes differ, or there are no elements.

    One pass over both in chunks, O(1) extra memory.
    """
    native = native_core()
    figures = None if native is None else native.compare(reference, value)
    return _figures(*_sums(reference, value)) if figures is None else ErrorStats(*figures)


def compare_product(weight: Array, x: Array, value: Array, bias: Array | None = None) -> ErrorStats:
    """Compare `weight @ x + bias`, computed in float64, with what it came out as.

    Args:
        weight: [rows, n].
        x: [n].
        value: [rows].
        bias: [rows], or None.

    Raises:
        ValueError: The shapes do not fit, or there are no rows.

    O(rows · n).
    """
    native = native_core()
    figures = None if native is None else native.compare_product(weight, x, value, bias)
    if figures is not None:
        return ErrorStats(*figures)
    with np.errstate(all="ignore"):
        reference = weight.astype(np.float64) @ x.astype(np.float64)
        return compare(reference if bias is None else reference + bias, value)


def _figures(
    size: int,
    signal: float,
    power: float,
    product: float,
    error: float,
    worst: int,
    largest: float,
    block_max: float,
) -> ErrorStats:
    norms = math.sqrt(signal) * math.sqrt(power)
    alike = 1.0 if signal == power else 0.0
    noise = error / signal if signal else error and error * math.inf
    return ErrorStats(
        mse=error / size,
        max_abs_error=largest,
        worst_index=worst,
        cosine=alike if norms == 0 else product / norms,
        snr_db=-10 * math.log10(noise) if noise > 0 else math.nan if noise != noise else math.inf,
        relative_error=math.sqrt(noise),
        block_max=block_max,
    )


def _sums(reference: Any, value: Any) -> _Sums:
    first, second = as_array(reference), as_array(value)
    if first.shape != second.shape or not first.size:
        raise ValueError(f"cannot compare shapes {first.shape} and {second.shape}")
    signal = power = product = error = 0.0
    largest, worst, seen = -1.0, 0, 0
    with np.errstate(all="ignore"):
        for a, b in chunks(first, second):
            difference = b - a
            signal += dot(a, a)
            power += dot(b, b)
            product += dot(a, b)
            error += dot(difference, difference)
            index = int(np.argmax(np.abs(difference)))  # the first NaN, if there is one
            distance = abs(float(difference[index]))
            if not distance <= largest and largest == largest:
                largest, worst = distance, seen + index
            seen += a.size
    start = worst // _BLOCK * _BLOCK
    block = np.abs(first.flat[start : start + _BLOCK].astype(np.float64))
    return first.size, signal, power, product, error, worst, largest, float(block.max())
