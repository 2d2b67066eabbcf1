"""Anything that holds real numbers becomes a view, and nothing else does."""

from __future__ import annotations

import array
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.core import as_array, is_scalar
from tracepact.types import Array


@pytest.mark.parametrize(
    "value", [1, 1.5, True, np.float16(1), np.int64(1), np.bool_(True), np.longdouble(1)]
)
def test_real_numbers_are_scalars(value: Any) -> None:
    assert is_scalar(value)


@pytest.mark.parametrize("value", [1j, np.complex64(1), "1", None, [1], np.ones(()), np.str_("1")])
def test_other_values_are_not_scalars(value: Any) -> None:
    assert not is_scalar(value)


@pytest.mark.parametrize(
    "dtype",
    [np.float64, np.float16, np.longdouble, ">f4", np.int8, np.uint64, np.bool_]
    + [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2],
    ids=str,
)
def test_array_is_viewed_without_a_copy(dtype: Any) -> None:
    value = np.zeros((2, 3)).astype(dtype)[:, ::2]
    view = as_array(value)
    assert np.shares_memory(view, value)
    assert (view.shape, view.dtype) == (value.shape, value.dtype)


def test_subclass_is_viewed_as_a_plain_array() -> None:
    """Arithmetic of masked arrays, matrices and the like is another."""
    value = np.ma.array([1.0, 2.0])
    assert type(as_array(value)) is np.ndarray


@pytest.mark.parametrize(
    "value",
    [[1, 2], (1.0, 2.0), range(1, 3), array.array("f", [1, 2]), memoryview(b"\x01\x02")],
    ids=["list", "tuple", "range", "array", "memoryview"],
)
def test_sequences_and_buffers_are_read(value: Any) -> None:
    assert as_array(value).tolist() == [1, 2]


def test_buffer_is_read_without_a_copy() -> None:
    value = array.array("d", [1, 2])
    view = as_array(value)
    value[0] = 5
    assert view[0] == 5


def test_bfloat16_number_is_an_array_without_axes() -> None:
    assert as_array(ml_dtypes.bfloat16(2)).shape == ()


def test_tensor_is_read_through_its_array_interface() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return np.ones(3, np.float32)

        def __dlpack__(self, **options: Any) -> Any:
            raise AssertionError("the array interface comes first")

    assert as_array(Tensor()).dtype == np.float32


def test_tensor_is_read_through_dlpack() -> None:
    class Tensor:
        def __init__(self, value: Array) -> None:
            self.value = value

        def __dlpack__(self, **options: Any) -> Any:
            return self.value.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.value.__dlpack_device__()

    value = np.ones(3, np.float32)
    assert np.shares_memory(as_array(Tensor(value)), value)


@pytest.mark.parametrize(
    "value",
    ["text", None, 1j, np.ones(2, complex), object(), ["a"], [10**400], np.array(["x"])]
    + [np.zeros(2, "datetime64[s]"), np.zeros(2, ml_dtypes.int4), np.zeros(2, "i4,f4"), {1: 2}],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'dtype', '')}",
)
def test_what_holds_no_real_numbers_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"cannot measure {type(value).__name__} with elements of"):
        as_array(value)
