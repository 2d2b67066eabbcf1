"""Tolerances follow storage dtype and row length, and healthy softmax rows stay inside."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.core import row_sum_error, scaled_tolerance
from tracepact.types import Array


@pytest.mark.parametrize("dtype", ["float64", "float32", "longdouble", "unknown"])
def test_wide_types_add_nothing(dtype: str) -> None:
    assert scaled_tolerance(1e-6, dtype) == 1e-6
    assert scaled_tolerance(1e-6, dtype, 256) == 1e-6


def test_long_sums_get_tolerance_in_proportion() -> None:
    assert scaled_tolerance(1e-6, "float32", 2560) == pytest.approx(1e-5)


def test_narrow_types_add_their_rounding_and_underflow() -> None:
    assert scaled_tolerance(0, "float16", 1000) == 2.0**-11 + 1000 * 2.0**-25
    assert scaled_tolerance(0, "bfloat16", 1000) == 2.0**-8


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


@pytest.mark.parametrize("length", [8, 1024, 8192])
@pytest.mark.parametrize(
    "dtype", [np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn], ids=str
)
def test_healthy_softmax_rows_are_within_tolerance(dtype: Any, length: int) -> None:
    x = np.random.default_rng(0).normal(size=(16, length)).astype(np.float32) * 3
    weights = softmax(x).astype(dtype)
    assert row_sum_error(weights) <= scaled_tolerance(1e-6, weights.dtype.name, length)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=str)
def test_row_that_lost_seven_percent_is_not(dtype: Any) -> None:
    weights = (softmax(np.ones((4, 64), np.float32)) * 0.93).astype(dtype)
    assert row_sum_error(weights) > scaled_tolerance(1e-6, weights.dtype.name, 64)
