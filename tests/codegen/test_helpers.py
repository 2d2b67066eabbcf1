"""Functions that exported modules carry along mean what the core means, at the edges too."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.codegen import helpers
from tracepact.core import Stat, measure, scaled_tolerance
from tracepact.core.python import row_reduce
from tracepact.types import Array

ROWS: list[Array] = [
    np.array([[1e200, -3e200], [1e-200, 2e-200], [0.0, 0.0], [1e308, 1.7e308]]),
    np.array([[np.inf, 1.0], [np.nan, np.inf], [-np.inf, np.inf]]),
    np.array([[5e-324, 0.0], [-1.0, 1e-310]]),
    np.empty((2, 0)),
    np.empty((0, 3)),
    np.array(-2.5),
]


@pytest.fixture(params=ROWS, ids=lambda rows: str(rows.shape))
def rows(request: pytest.FixtureRequest) -> Array:
    """Rows of huge, tiny, infinite and no numbers."""
    found: Array = request.param
    return found


@pytest.mark.parametrize("name", ["row_sums", "row_norms", "row_min", "row_max", "row_argmax"])
def test_rows_are_reduced_as_the_core_does(name: str, rows: Array) -> None:
    with np.errstate(all="ignore"):
        found = getattr(helpers, f"_{name}")(rows)
    np.testing.assert_allclose(found, row_reduce(name, rows), rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("sum", "total"), ("mean", "average"), ("norm", "norm"), ("min", "lowest"),
        ("max", "highest"), ("argmin", "argmin"), ("argmax", "argmax"),
    ],
)  # fmt: skip
def test_arrays_are_reduced_as_the_core_does(name: str, attribute: str, rows: Array) -> None:
    if name == "mean" and np.abs(rows).max(initial=0) == 1.7e308:
        return  # the core's mean does not overflow
    with np.errstate(all="ignore"):
        found = getattr(helpers, f"_{name}")(rows)
    stats = measure(rows, Stat.FULL | Stat.ARGS)
    np.testing.assert_allclose(found, getattr(stats, attribute), rtol=1e-15)


@pytest.mark.parametrize("value", [2.5, -1.0, 0.0, np.nan, -np.inf])
@pytest.mark.parametrize("name", ["sum", "mean", "std", "norm", "min", "max"])
def test_number_is_its_own_array(name: str, value: float) -> None:
    """What a symbolic tool sees of a number is what NumPy makes of an array of it."""
    function = getattr(helpers, f"_{name}")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(function(value), function(np.array([value])))


PAIRS = ["divide", "floor_divide", "remainder", "power", "least", "greatest"]


@pytest.mark.parametrize("name", PAIRS)
def test_two_numbers_are_two_arrays_of_one_element(name: str) -> None:
    """NaN is never lost, and nothing raises: x / 0 and 1e300 ** 2 are what IEEE 754 says."""
    function = getattr(helpers, f"_{name}")
    values = [0.0, -0.0, 1.0, -2.0, 0.5, 2.0, 1e300, np.inf, -np.inf, np.nan]
    with np.errstate(all="ignore"):
        for a in values:
            for b in values:
                if (name, a, b) == ("power", -np.inf, 0.5):
                    continue  # NumPy takes a square root for one exponent, a power for several
                expected = function(np.array([a]), np.array([b]))
                np.testing.assert_array_equal(function(a, b), expected[0], str((a, b)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 1_024), (0, 4), (300, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.int8])
def test_tolerance_grows_with_dtype_and_length(dtype: Any, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, dtype)
    for options, terms in (
        ({}, 1),
        ({"rows": True}, shape[-1] if shape else 1),
        ({"rows": True, "whole": True}, array.size),
    ):
        expected = scaled_tolerance(1e-6, array.dtype.name, terms)
        expected = 1e-6 if dtype is np.int8 else expected
        assert helpers._tolerance(1e-6, array, 7.0, **options) == expected
    assert helpers._tolerance(1e-6, 3, np.float16(2)) == 1e-6


@pytest.mark.parametrize("value", [None, "text", 1j, [1j], np.array([1j]), [object()], ["a"]])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        helpers._field(value)


@pytest.mark.parametrize("value", [7, True, 2.5, np.float16(2.5), np.int64(7)])
def test_number_becomes_a_plain_float(value: Any) -> None:
    assert type(helpers._field(value)) is float


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.longdouble, ">f4", np.bool_])
def test_array_becomes_float64(dtype: Any) -> None:
    found = helpers._field(np.array([[0.0, 1.0]], dtype))
    assert found.dtype == np.float64
    assert found.tolist() == [[0.0, 1.0]]
