"""The Python core against NumPy in float64."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import CHUNK_ELEMENTS, Stat, chunks, measure, row_reduce, row_sum_error
from tracepact.core.python import dot
from tracepact.types import Array

EVERYTHING = Stat.FULL | Stat.ARGS
FINITE = st.one_of(
    st.floats(-1e300, 1e300),
    st.floats(-100, 100),
    st.floats(-1e-307, 1e-307),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 2.3e-308, 1e300, -1e300]),
)


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_statistics_are_those_of_exact_arithmetic(values: list[float]) -> None:
    """For subnormal, ordinary and huge elements alike."""
    stats = measure(np.array(values), EVERYTHING)
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    largest = max(abs(value) for value in values)
    close = {"rel": 1e-13, "abs": max(1e-15 * largest * len(values), 1e-323)}
    assert (stats.min, stats.max) == (min(values), max(values))
    assert stats.mean == pytest.approx(float(mean), **close)
    assert stats.sum == pytest.approx(float(sum(exact)), **close)
    assert stats.l2 == pytest.approx(math.hypot(*values), rel=1e-13, abs=1e-322)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    if 1e-290 < variance < 1e290:
        floor = 1e-15 * largest * len(values)
        assert stats.std == pytest.approx(math.sqrt(variance), rel=1e-12, abs=floor)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=30),
    st.sampled_from([np.float32, np.float16, ">f4", ml_dtypes.bfloat16, np.longdouble]),
)
def test_statistics_of_stored_values_are_those_of_numpy(values: list[float], dtype: Any) -> None:
    with np.errstate(over="ignore"):
        x = np.array(values, np.float32).astype(dtype)
    wide = x.astype(np.float64)
    stats = measure(x, EVERYTHING)
    assert stats.count == x.size
    assert stats.nan_count == np.isnan(wide).sum()
    assert (stats.posinf_count, stats.neginf_count) == (
        (wide == np.inf).sum(),
        (-wide == np.inf).sum(),
    )
    finite = wide[np.isfinite(wide)]
    if finite.size:
        assert (stats.min, stats.max) == (finite.min(), finite.max())
        scale = float(np.abs(finite).max())
        assert stats.mean == pytest.approx(finite.mean(), rel=1e-12, abs=1e-14 * scale)
        assert stats.std == pytest.approx(finite.std(), rel=1e-12, abs=1e-14 * scale)
        assert stats.l2 == pytest.approx(np.linalg.norm(finite), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, ">i2", np.bool_])
def test_integers_and_truth_values_are_measured_without_wrapping(dtype: Any) -> None:
    info = np.iinfo(dtype) if dtype is not np.bool_ else np.array([0, 1])
    top = info.max() if isinstance(info, np.ndarray) else info.max
    x = np.full(1000, top, dtype)
    stats = measure(x, EVERYTHING)
    assert stats.sum == float(top) * 1000
    assert (stats.mean, stats.std) == (float(top), 0)
    assert stats.l2 == pytest.approx(float(top) * math.sqrt(1000))


@pytest.mark.parametrize("size", [1000, 3 * CHUNK_ELEMENTS + 17])
def test_mean_and_std_are_stable_far_from_zero(size: int) -> None:
    """1e8 plus noise of 1: the naive E[x²] − E[x]² has no correct digit left."""
    noise = np.random.default_rng(5).normal(size=size)
    stats = measure(noise + 1e8)
    assert stats.std == pytest.approx(noise.std(), rel=1e-7)
    assert stats.mean - 1e8 == pytest.approx(noise.mean(), abs=1e-6)


@pytest.mark.parametrize("value", [5e-324, 1e-300, 1.0, 1e100])
def test_constant_data_has_no_spread_beyond_rounding(value: float) -> None:
    assert measure(np.full(77, value)).std <= 1e-15 * value


def test_spread_of_huge_data_overflows_to_inf() -> None:
    stats = measure(np.array([1e300, -1e300]))
    assert (stats.std, stats.mean) == (math.inf, 0)
    assert stats.l2 == pytest.approx(math.sqrt(2) * 1e300)


def test_overflow_is_not_mistaken_for_inf_and_warns_of_nothing() -> None:
    stats = measure(np.array([1e200, -1e200, 1.7e308, 1.7e308]))
    assert (stats.nonfinite_count, stats.max, stats.total) == (0, 1.7e308, math.inf)


def test_value_beyond_float64_counts_as_inf() -> None:
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        x = np.array([np.finfo(np.longdouble).max])
        assert measure(x).posinf_count == 1
        assert row_reduce("row_sums", x) == np.inf


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.array(3), [3]])
def test_number_is_measured_like_an_array_of_one(value: Any) -> None:
    stats = measure(value)
    assert (stats.count, stats.min, stats.sum) == (1, 3, 3)


@pytest.mark.parametrize("value", ["text", None, 1j, [1j], np.array(["a"])])
def test_measuring_what_is_no_number_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot measure"):
        measure(value)


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        (Stat.COUNTS, ()),
        (Stat.RANGE, ("min", "max")),
        (Stat.SUM, ("sum",)),
        (Stat.MOMENTS, ("mean", "m2", "l2")),
        (Stat.ARGS, ("argmin", "argmax")),
    ],
)
def test_pass_computes_the_groups_that_it_is_asked_for(
    wanted: Stat, known: tuple[str, ...]
) -> None:
    x = np.array([4.0, -1, 7])
    whole, part = measure(x, EVERYTHING), measure(x, wanted)
    assert part.count == 3
    assert part.measured == wanted | Stat.COUNTS
    assert [getattr(part, name) for name in known] == [getattr(whole, name) for name in known]


@pytest.mark.parametrize("n", [0, 1, CHUNK_ELEMENTS, CHUNK_ELEMENTS + 1, 5 * CHUNK_ELEMENTS + 3])
def test_chunked_statistics_are_those_of_the_whole(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n).astype(np.float32)
    stats = measure(x, EVERYTHING)
    assert stats.count == n
    if n:
        wide = x.astype(np.float64)
        assert (stats.argmin, stats.argmax) == (wide.argmin(), wide.argmax())
        assert stats.std == pytest.approx(wide.std(), rel=1e-12)
        assert stats.l2 == pytest.approx(np.linalg.norm(wide), rel=1e-12)


@pytest.mark.parametrize("size", [0, 10, 8_192, 8_193, 65_536])
def test_inner_product_has_one_value_whoever_computes_it(size: int) -> None:
    x = np.random.default_rng(1).normal(size=size)
    assert dot(x, x + 1) == pytest.approx(math.fsum(x * (x + 1)), rel=1e-12)


# -- chunks ------------------------------------------------------------------------------------


def test_chunks_walk_broadcast_arrays_together_in_c_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracepact.core.python.CHUNK_ELEMENTS", 4)
    x = np.asfortranarray(np.arange(12).reshape(3, 4))
    y = np.array([[1], [2], [3]], np.float16)
    walked = [(a.copy(), b.copy()) for a, b in chunks(x, y)]
    assert all(len(a) == len(b) <= 4 and a.dtype == b.dtype == np.float64 for a, b in walked)
    assert np.concatenate([a for a, _ in walked]).tolist() == list(range(12))
    assert np.concatenate([b for _, b in walked]).tolist() == [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_chunks_of_nothing_are_none(shape: tuple[int, ...]) -> None:
    assert list(chunks(np.empty(shape))) == []
    assert list(chunks(np.empty(shape), np.ones(1, np.int8))) == []


def test_chunks_refuse_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        list(chunks(np.ones(2), np.ones(3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, ml_dtypes.bfloat16])
def test_measuring_needs_little_memory_beside_the_array(dtype: Any) -> None:
    """200 MB of storage or more, zeros that the operating system need not provide."""
    x = np.zeros((50, 1_000_000), dtype)
    tracemalloc.start()
    try:
        stats = measure(x, Stat.FULL)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stats.count == x.size
    assert peak < 10e6


# -- rows --------------------------------------------------------------------------------------

REFERENCE = {
    "row_sums": lambda x: x.sum(-1),
    "row_norms": lambda x: np.linalg.norm(x, axis=-1),
    "row_min": lambda x: x.min(-1),
    "row_max": lambda x: x.max(-1),
    "row_argmax": lambda x: x.argmax(-1),
    "row_dots": lambda x, y: (x * y).sum(-1),
}


@pytest.mark.parametrize("function", REFERENCE)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 3, 2, 2), (0, 3), (4, 1), ()])
@pytest.mark.parametrize("chunk", [1, 5, 8, CHUNK_ELEMENTS])
def test_row_reduction_is_that_of_numpy(
    monkeypatch: pytest.MonkeyPatch, function: str, shape: tuple[int, ...], chunk: int
) -> None:
    monkeypatch.setattr("tracepact.core.python.CHUNK_ELEMENTS", chunk)
    operands = [np.random.default_rng(i).normal(size=shape) for i in range(2)]
    operands = operands[: 2 if function == "row_dots" else 1]
    found = row_reduce(function, *(np.asarray(x).astype(np.float32) for x in operands))
    wide = [np.atleast_1d(np.asarray(x).astype(np.float32)).astype(np.float64) for x in operands]
    np.testing.assert_allclose(found, REFERENCE[function](*wide), rtol=1e-12)
    assert (found.dtype, found.shape) == (np.float64, shape[:-1])


@pytest.mark.parametrize(
    ("function", "value"),
    [("row_sums", 0), ("row_norms", 0), ("row_min", math.inf), ("row_max", -math.inf)]
    + [("row_argmax", -1), ("row_dots", 0)],
)
def test_row_without_elements_has_a_neutral_value(function: str, value: float) -> None:
    operands = [np.empty((2, 3, 0))] * (2 if function == "row_dots" else 1)
    assert row_reduce(function, *operands).tolist() == [[value] * 3] * 2


def test_rows_are_broadcast() -> None:
    x, y = np.arange(6.0).reshape(2, 3), np.array([1, 0, 2], np.int8)
    assert row_reduce("row_dots", x, y).tolist() == [4, 13]
    with pytest.raises(ValueError, match="broadcast"):
        row_reduce("row_dots", x, np.ones(2))


def test_transform_yields_what_is_reduced() -> None:
    x, y = np.array([[1, 2], [3, 4]], np.int8), np.float32(100)
    sums = row_reduce("row_sums", x, y, transform=lambda a, b: [a * b])
    assert sums.tolist() == [300, 700]


@pytest.mark.parametrize("scale", [5e-324, 1e-200, 1e-140, 1.0, 1e200, 1e308])
def test_row_norm_neither_underflows_nor_overflows(scale: float) -> None:
    rows = np.array([[0.6, 0.8], [0.0, 1.0], [0.0, 0.0]]) * scale
    expected = [math.hypot(*row) for row in rows]
    assert row_reduce("row_norms", rows).tolist() == pytest.approx(expected, rel=1e-14)


def test_row_norm_of_nonfinite_rows_is_nonfinite_and_of_others_is_not() -> None:
    rows = np.array([[3, 4], [math.nan, 1], [math.inf, 1], [-math.inf, 2], [math.nan, math.inf]])
    expected = [5, math.nan, math.inf, math.inf, math.nan]
    assert row_reduce("row_norms", rows).tolist() == pytest.approx(expected, nan_ok=True)


def test_worst_row_sum_error() -> None:
    weights = np.full((2, 3, 4), 0.25, np.float16)
    assert row_sum_error(weights) == 0
    weights[1, 2] = 0.2
    assert row_sum_error(weights) == pytest.approx(0.2, rel=1e-2)
    weights[0, 0, 0] = np.nan
    assert math.isnan(row_sum_error(weights))
    assert row_sum_error(np.empty((0, 4))) == 0


def test_row_sums_need_little_memory_beside_the_array() -> None:
    x: Array = np.zeros((5_000, 10_000), np.float32)
    tracemalloc.start()
    try:
        row_reduce("row_norms", x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6


@pytest.mark.parametrize("function", ["row_sums", "row_norms", "row_min", "row_max", "row_argmax"])
def test_long_rows_are_reduced_in_parts(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(2).normal(size=(2, 1000))
    whole = row_reduce(function, rows)
    monkeypatch.setattr("tracepact.core.python.CHUNK_ELEMENTS", 64)
    assert np.allclose(row_reduce(function, rows), whole, rtol=1e-12)


def test_small_arrays_that_broadcast_to_a_huge_one_are_refused() -> None:
    """A contract must not make work that its fields do not have."""
    x, y = np.ones((16_000, 1, 1)), np.ones((1, 16_000, 1))
    with pytest.raises(ValueError, match="reduce them"):
        row_reduce("row_dots", x, y)
    with pytest.raises(ValueError, match="reduce them"):
        next(chunks(x, y))


def test_dot_with_a_constant_row_keeps_nan() -> None:
    constant = np.broadcast_to(np.array([[np.inf]]), (1, 3))
    assert np.isnan(row_reduce("row_dots", constant, np.array([[0.0, 1.5, 0.0]]))).all()
