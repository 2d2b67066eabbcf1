"""Generated arrays and numbers are what they may be, and reach what finds faults."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from tracepact.testing.strategies import LARGEST_USUAL, SMALLEST_USUAL, Values, arrays, numbers
from tracepact.types import Array

DTYPES = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)


def made(values: Values, *, dtype: object = None) -> st.SearchStrategy[Array]:
    @st.composite
    def draw_one(draw: st.DrawFn) -> Array:
        shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        return arrays(draw, shape, dtype or draw(st.sampled_from(DTYPES)), values)

    return draw_one()


@given(made(Values()))
def test_usual_values_are_zero_or_of_usual_magnitude(array: Array) -> None:
    sizes = np.abs(array.astype(np.float64))
    assert np.all((sizes == 0) | (sizes >= SMALLEST_USUAL / 2))
    assert np.all(sizes <= LARGEST_USUAL * 1.01)


@given(made(Values(lowest=0.0, highest=1.0, excludes_lowest=True), dtype=np.float32))
def test_excluded_ends_are_left_out(array: Array) -> None:
    assert np.all(array > 0)
    assert np.all(array <= 1)


@given(made(Values(is_open=True, is_masked=True, has_masked=True, has_finite_rows=True)))
def test_masked_arrays_have_what_was_asked_for(array: Array) -> None:
    wide = array.astype(np.float64)
    assert np.all(wide < np.inf)
    assert np.all(np.isfinite(wide).any(axis=-1))
    assert np.isneginf(wide).any() or array.shape[-1] == 1


@given(made(Values(is_exact=True), dtype=np.float32), st.integers(-100, 100))
def test_sums_with_exact_values_are_exact(array: Array, c: int) -> None:
    assert np.array_equal((array + np.float32(c)) - np.float32(c), array)


@given(made(Values(lowest=0.0, highest=5.0, excludes_highest=True, is_whole=True)))
def test_whole_values_are_whole_and_in_range(array: Array) -> None:
    assert set(np.unique(array.astype(np.float64))) <= {0, 1, 2, 3, 4}


@given(numbers(Values(lowest=0.0, excludes_lowest=True)))
def test_positive_numbers_do_not_vanish_in_float32(number: float) -> None:
    assert np.float32(number) > 0


@pytest.mark.parametrize(
    "reaches",
    [
        lambda a: np.any(a >= LARGEST_USUAL * 0.9),
        lambda a: np.all(a == 0) and a.size > 1,
        lambda a: a.size > 1 and 0 < np.ptp(a) < 1e-4 * abs(a).max(),
        lambda a: np.any(np.abs(a) > 1e3) and np.any((np.abs(a) > 0) & (np.abs(a) < 1e-3)),
    ],
    ids=["as large as activations", "zeros", "nearly equal", "mixed scales"],
)
def test_inputs_that_find_faults_are_reached(reaches: object) -> None:
    find(made(Values(), dtype=np.float64), reaches)  # type: ignore[arg-type]
