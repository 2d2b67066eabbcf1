"""Statistics, and what becomes of them when parts are put together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import Stat, TensorStats, measure

INF, NAN = math.inf, math.nan
EVERYTHING = Stat.FULL | Stat.ARGS

ELEMENTS = st.one_of(
    st.floats(-1e300, 1e300),
    st.floats(-100, 100),
    st.floats(-1e-307, 1e-307),
    st.integers(-3, 3).map(float),
    st.sampled_from([0.0, -0.0, 5e-324, 1e300, -1e300, INF, -INF, NAN]),
)


def stats_of(*values: float) -> TensorStats:
    return measure(np.array(values, np.float64), EVERYTHING)


HONEST = [
    # elements, lowest, highest, total, average, spread, norm
    ((), INF, -INF, 0, NAN, NAN, 0),
    ((2, 4), 2, 4, 6, 3, 1, math.sqrt(20)),
    ((2, NAN), NAN, NAN, NAN, NAN, NAN, NAN),
    ((2, INF), 2, INF, INF, INF, NAN, INF),
    ((2, -INF), -INF, 2, -INF, -INF, NAN, INF),
    ((INF,), INF, INF, INF, INF, NAN, INF),
    ((-INF,), -INF, -INF, -INF, -INF, NAN, INF),
    ((NAN,), NAN, NAN, NAN, NAN, NAN, NAN),
    ((-INF, INF), -INF, INF, NAN, NAN, NAN, INF),
    ((-INF, NAN, INF), NAN, NAN, NAN, NAN, NAN, NAN),
]


@pytest.mark.parametrize("case", HONEST, ids=lambda case: str(case[0]))
def test_honest_statistics_follow_ieee_754(case: tuple[tuple[float, ...], float]) -> None:
    values, *expected = case
    stats = stats_of(*values)
    found = [stats.lowest, stats.highest, stats.total, stats.average, stats.spread, stats.norm]
    assert found == pytest.approx(expected, nan_ok=True)


def test_plain_statistics_leave_nan_and_inf_out_but_count_them() -> None:
    stats = stats_of(NAN, 1, INF, 3, -INF, NAN, -INF, -INF)
    assert (stats.count, stats.nan_count, stats.posinf_count, stats.neginf_count) == (8, 2, 1, 3)
    assert (stats.inf_count, stats.nonfinite_count, stats.finite_count) == (4, 6, 2)
    assert (stats.min, stats.max, stats.sum, stats.mean, stats.std) == (1, 3, 4, 2, 1)
    assert stats.l2 == pytest.approx(math.sqrt(10))


@pytest.mark.parametrize("values", [(), (NAN, INF)])
def test_statistics_of_no_finite_element_are_nan(values: tuple[float, ...]) -> None:
    stats = stats_of(*values)
    assert all(math.isnan(v) for v in (stats.min, stats.max, stats.mean, stats.std))
    assert (stats.sum, stats.l2) == (0, 0)


@pytest.mark.parametrize("value", [0.0, -2.5, 5e-324, 1e300, INF, -INF, NAN])
def test_number_has_the_statistics_of_an_array_of_one(value: float) -> None:
    scalar, array = TensorStats.of_scalar(value), stats_of(value)
    for name in ("count", "nan_count", "posinf_count", "neginf_count", "argmin", "argmax"):
        assert getattr(scalar, name) == getattr(array, name)
    for name in ("min", "max", "sum", "mean", "m2", "l2"):
        assert getattr(scalar, name) == pytest.approx(getattr(array, name), nan_ok=True)


@given(st.lists(ELEMENTS, min_size=1, max_size=12))
def test_argmin_and_argmax_are_those_of_numpy(values: list[float]) -> None:
    stats = stats_of(*values)
    assert (stats.argmin, stats.argmax) == (np.argmin(values), np.argmax(values))


@given(st.lists(st.lists(ELEMENTS, max_size=6), max_size=5))
def test_merging_any_split_gives_the_statistics_of_the_whole(parts: list[list[float]]) -> None:
    merged = TensorStats()
    for part in parts:
        merged.add(stats_of(*part))
    whole = stats_of(*(value for part in parts for value in part))
    for name in (
        *("count", "nan_count", "posinf_count", "neginf_count"),
        *("argmin", "argmax", "lowest", "highest"),
    ):
        assert getattr(merged, name) == pytest.approx(getattr(whole, name), nan_ok=True), name
    largest = max(-whole.min, whole.max) if whole.finite_count else 0.0
    close = {"rel": 1e-12, "abs": max(1e-13 * largest, 1e-322), "nan_ok": True}
    assert merged.sum == pytest.approx(whole.sum, **close)
    assert merged.mean == pytest.approx(whole.mean, **close)
    assert merged.l2 == pytest.approx(whole.l2, **close)
    if largest < 1e150:  # beyond that a square of a difference is Inf
        close["abs"] = max(1e-7 * largest, 1e-160)
        assert merged.std == pytest.approx(whole.std, **close)


def test_merging_keeps_the_first_of_equal_extremes() -> None:
    stats = stats_of(1, 0, 3)
    stats.add(stats_of(0, 3, 3))
    assert (stats.argmin, stats.argmax) == (1, 2)


def test_merging_keeps_the_first_nan() -> None:
    stats = stats_of(1, NAN)
    stats.add(stats_of(NAN, -5, 9))
    assert (stats.argmin, stats.argmax) == (1, 1)


def test_merged_statistics_know_only_what_both_parts_measured() -> None:
    stats = measure(np.ones(2), Stat.RANGE | Stat.SUM)
    stats.add(measure(np.ones(2), Stat.RANGE))
    assert stats.measured == Stat.RANGE | Stat.COUNTS
    assert TensorStats().measured == EVERYTHING
