"""How far one tensor is from another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import CHUNK_ELEMENTS, ErrorStats, compare, using_core

NAN, INF = math.nan, math.inf


@given(st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_figures_are_those_of_numpy(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a = random.normal(size=size)
    b = a + random.normal(size=size) * 0.1
    found = compare(a, b)
    error = b - a
    assert found.mse == pytest.approx(np.mean(error**2))
    assert found.max_abs_error == pytest.approx(np.abs(error).max())
    assert found.worst_index == np.abs(error).argmax()
    assert found.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert found.relative_error == pytest.approx(np.linalg.norm(error) / np.linalg.norm(a))
    assert found.snr_db == pytest.approx(10 * math.log10(np.sum(a**2) / np.sum(error**2)))


def test_equal_tensors_have_no_error() -> None:
    x = np.arange(6.0).reshape(2, 3).astype(np.float16)
    found = compare(x, x.astype(np.float32))
    assert (found.mse, found.max_abs_error, found.relative_error) == (0, 0, 0)
    assert (found.cosine, found.snr_db) == (1, INF)


@pytest.mark.parametrize(
    ("reference", "value", "cosine", "relative_error", "snr_db"),
    [([0, 0], [0, 0], 1, 0, INF), ([0, 0], [0, 3], 0, INF, -INF), ([0, 3], [0, 0], 0, 1, 0)],
)
def test_zero_tensors_have_figures_too(
    reference: Any, value: Any, cosine: float, relative_error: float, snr_db: float
) -> None:
    found = compare(reference, value)
    assert (found.cosine, found.relative_error, found.snr_db) == (cosine, relative_error, snr_db)


@pytest.mark.parametrize(
    ("reference", "value"),
    [([1, 2], [1, NAN]), ([1, NAN], [1, 2]), ([0, 0], [0, NAN]), ([NAN, 0], [NAN, 0])],
)
def test_nan_makes_every_figure_nan(reference: Any, value: Any) -> None:
    found = compare(reference, value)
    figures = (found.mse, found.max_abs_error, found.cosine, found.snr_db, found.relative_error)
    assert all(math.isnan(figure) for figure in figures), figures


def test_worst_element_is_found_in_any_chunk() -> None:
    a = np.zeros(2 * CHUNK_ELEMENTS + 5, np.float32)
    b = a.copy()
    b[[10, CHUNK_ELEMENTS + 3, -1]] = [1, -5, 2]
    found = compare(a, b)
    assert (found.worst_index, found.max_abs_error) == (CHUNK_ELEMENTS + 3, 5)
    b[[7, CHUNK_ELEMENTS + 1]] = NAN
    assert compare(a, b).worst_index == 7


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((3,), (3, 1)), ((0,), (0,))])
def test_shapes_that_cannot_be_compared_are_refused(shapes: Any) -> None:
    with pytest.raises(ValueError, match="cannot compare shapes"):
        compare(np.ones(shapes[0]), np.ones(shapes[1]))


@given(
    st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, NAN]), min_size=1),
    st.integers(0, 2**32 - 1),
)
def test_both_cores_find_the_same(numbers: list[float], seed: int) -> None:
    reference = np.array(numbers * 19, np.float32)
    value = np.random.default_rng(seed).permutation(reference).astype(np.float64)
    found = []
    for core in ("python", "native"):
        with using_core(core):
            found.append(compare(reference, value))
    for name in ErrorStats.__slots__:
        figures = [getattr(each, name) for each in found]
        assert figures[1] == pytest.approx(figures[0], rel=1e-12, abs=1e-12, nan_ok=True), name
