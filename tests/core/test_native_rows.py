"""Both cores reduce rows alike, whatever way the native core runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import dispatch, python
from tracepact.types import Array, FloatArray

_native = pytest.importorskip("tracepact.core._native")

FUNCTIONS = ["row_sums", "row_norms", "row_min", "row_max", "row_argmax"]
DTYPES = [np.dtype(name) for name in ("f8", "f4", "f2", ml_dtypes.bfloat16, "i1", "i4", "u8", "?")]
WIDTHS = [1, 2, 5, 16, 17, 64, 100, 576, 4096, 4097, 9000]

every_core = pytest.mark.parametrize("core", ["python", *_native.isas()])
every_function = pytest.mark.parametrize("function", FUNCTIONS)


@contextmanager
def running(core: str) -> Iterator[Callable[..., FloatArray]]:
    """The `row_reduce` of a core, forced onto an instruction set."""
    before = _native.isa()
    try:
        if core != "python":
            _native.set_isa(core)
        yield python.row_reduce if core == "python" else dispatch.row_reduce
    finally:
        _native.set_isa(before)


def expected(function: str, x: Array) -> tuple[FloatArray, Any]:
    """What NumPy says in float64, and how far a result may be off."""
    wide = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        if function == "row_sums":
            return wide.sum(-1), 5e-7 * np.abs(np.nan_to_num(wide, posinf=0, neginf=0)).sum(-1)
        if function == "row_norms":
            largest = np.abs(wide).max(-1, keepdims=True)
            usable = np.isfinite(largest) & (largest > 0)
            norms = np.sqrt((np.square(wide / np.where(usable, largest, 1.0))).sum(-1))
            result = np.where(usable[..., 0], norms * largest[..., 0], largest[..., 0])
            return result, 1e-12 * np.nan_to_num(result, posinf=0)
    return getattr(wide, function.removeprefix("row_"))(-1).astype(np.float64), 0.0


def assert_reduces(actual: FloatArray, function: str, x: Array) -> None:
    result, slack = expected(function, x)
    assert actual.shape == result.shape
    assert actual.dtype == np.float64
    same = (actual == result) | (np.isnan(actual) & np.isnan(result))
    with np.errstate(invalid="ignore"):
        assert np.all(same | (np.abs(actual - result) <= slack)), (actual, result)


@st.composite
def tensors(draw: st.DrawFn) -> Array:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (*draw(st.lists(st.integers(0, 4), max_size=3)), draw(st.sampled_from(WIDTHS)))
    scale = draw(st.sampled_from([1.0, 50.0, 1e-200, 1e200, 1e-5]))
    dtype = draw(st.sampled_from(DTYPES))
    values = random.standard_normal(shape) * (scale if dtype.kind in "fV" else 50.0)
    if dtype.kind in "fV":
        for special in draw(st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))):
            values[random.random(shape) < draw(st.sampled_from([0.001, 0.3, 1.0]))] = special
    elif dtype.kind == "u":
        values = np.abs(values)
    with np.errstate(all="ignore"):
        x = values.astype(dtype)
    if draw(st.booleans()):
        x = x[..., ::-1]
    if x.ndim > 1 and draw(st.booleans()):
        x = np.swapaxes(x, 0, -1)
    return x if x.shape[-1] else x.reshape(*x.shape[:-1], 0)


@every_core
@given(x=tensors(), function=st.sampled_from(FUNCTIONS))
def test_rows_are_reduced_as_by_numpy(core: str, x: Array, function: str) -> None:
    with running(core) as row_reduce:
        actual = row_reduce(function, x)
        if x.shape[-1]:
            assert_reduces(actual, function, x)


@every_core
@given(x=tensors(), dtype=st.sampled_from(DTYPES), one_row=st.booleans())
def test_dots_are_those_of_numpy(core: str, x: Array, dtype: np.dtype[Any], one_row: bool) -> None:
    random = np.random.default_rng(0)
    shape = x.shape[-1:] if one_row else x.shape
    y = (random.random(shape) * 9).astype(dtype)
    wide = np.asarray(x, np.float64), np.asarray(y, np.float64)
    with np.errstate(all="ignore"):
        products = wide[0] * wide[1]
        result = products.sum(-1)
        slack = 1e-12 * np.abs(np.nan_to_num(products, posinf=0, neginf=0)).sum(-1)
    with running(core) as row_reduce:
        for actual in (row_reduce("row_dots", x, y), row_reduce("row_dots", y, x)):
            assert actual.shape == result.shape
            same = (actual == result) | (np.isnan(actual) & np.isnan(result))
            with np.errstate(invalid="ignore"):
                assert np.all(same | (np.abs(actual - result) <= slack))


@every_core
@every_function
@pytest.mark.parametrize("n", [1, 33, 576, 5000])
def test_the_first_of_equal_elements_and_of_nans_counts(core: str, function: str, n: int) -> None:
    x = np.zeros((3, n), np.float32)
    x[1, n // 3 :] = np.nan
    x[2, n // 2 :] = 1
    with running(core) as row_reduce:
        assert_reduces(row_reduce(function, x), function, x)


@every_core
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 0, 3)])
def test_rows_without_elements_have_the_neutral_value(core: str, shape: tuple[int, ...]) -> None:
    neutral = {"row_min": math.inf, "row_max": -math.inf, "row_argmax": -1.0}
    x = np.zeros(shape, np.float32)
    with running(core) as row_reduce:
        for function in FUNCTIONS:
            rows = row_reduce(function, x)
            assert rows.shape == shape[:-1]
            assert np.all(rows == neutral.get(function, 0.0))
        assert np.all(row_reduce("row_dots", x, x) == 0)


@every_core
def test_a_number_is_one_row_of_one_element(core: str) -> None:
    x = np.array(-3.0)
    with running(core) as row_reduce:
        results = [row_reduce(function, x) for function in FUNCTIONS]
        results.append(row_reduce("row_dots", x, x))
    assert [(row.shape, float(row)) for row in results] == [
        ((), value) for value in (-3.0, 3.0, -3.0, -3.0, 0.0, 9.0)
    ]


@every_core
def test_what_is_not_native_is_reduced_all_the_same(core: str) -> None:
    """Broadcasting, foreign byte orders, a transform."""
    x = np.arange(6.0).reshape(2, 1, 3)
    y = np.arange(12, dtype=">f4").reshape(4, 3)
    with running(core) as row_reduce:
        assert np.array_equal(row_reduce("row_dots", x, y), (x * y).sum(-1))
        assert np.array_equal(row_reduce("row_max", y), y.max(-1))
        doubled = row_reduce("row_sums", x, transform=lambda block: [block * 2])
        assert np.array_equal(doubled, 2 * x.sum(-1))
        with pytest.raises(ValueError, match="broadcast"):
            row_reduce("row_dots", x, np.zeros(2))
        with pytest.raises(KeyError):
            row_reduce("row_median", x)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", _native.isas())
@given(x=tensors(), wanted=st.integers(0, 31))
def test_sums_of_rows_come_with_the_statistics(
    isa: str, threads: int, x: Array, wanted: int
) -> None:
    with running(isa):
        _native.set_threads(threads, 0)
        try:
            figures, sums = _native.measure_rows(x, wanted)
            alone = _native.measure(x, wanted)
        finally:
            _native.set_threads(0)
    if x.size:
        assert_reduces(sums, "row_sums", x)
    else:
        assert np.array_equal(sums, np.zeros(x.shape[:-1]))
    assert figures[:4] == alone[:4]
    if wanted & 2:
        assert figures[4:6] == pytest.approx(alone[4:6], rel=0, nan_ok=True)
    if wanted & 4:
        assert_reduces(np.array(figures[6]), "row_sums", x[np.isfinite(x)])
    if wanted & 8:
        assert figures[7:10] == pytest.approx(alone[7:10], rel=1e-9, abs=1e-9, nan_ok=True)
    if wanted & 16:
        assert figures[10:12] == alone[10:12]
    assert figures[12] == alone[12] == wanted | 1
