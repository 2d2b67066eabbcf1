"""How far one tensor is from another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracepact.core.arrays import as_array
from tracepact.core.python import chunks, dot
from tracepact.core.select import native_core


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
    """

    mse: float
    max_abs_error: float
    worst_index: int
    cosine: float
    snr_db: float
    relative_error: float


def compare(reference: Any, value: Any) -> ErrorStats:
    """Compare two tensors of one shape; NaN in either makes every figure NaN.

    Raises:
        ValueError: The shapes differ, or there are no elements.

    One pass over both in chunks, O(1) extra memory.
    """
    native = native_core()
    sums = (None if native is None else native.compare(reference, value)) or _sums(reference, value)
    size, signal, power, product, error, worst, largest = sums
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
    )


def _sums(reference: Any, value: Any) -> tuple[int, float, float, float, float, int, float]:
    """Elements; Σ ref², Σ value², Σ ref·value, Σ err²; where |err| is largest, and that."""
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
    return first.size, signal, power, product, error, worst, largest
