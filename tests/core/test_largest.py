"""The largest elements, by both cores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import largest, largest_share, using_core
from tracepact.types import Array


def by_sorting(values: Array, k: int) -> list[int]:
    order = sorted(range(values.size), key=lambda i: (not np.isnan(values[i]), -values[i], i))
    return order[:k]


@given(
    st.lists(st.floats(width=32, allow_nan=True) | st.sampled_from([0.0, 1.0]), min_size=1).map(
        lambda x: np.array(x * 7, np.float32)
    ),
    st.integers(1, 5),
)
def test_both_cores_find_what_sorting_finds(values: Array, k: int) -> None:
    k = min(k, values.size)
    for core in ("python", "native"):
        with using_core(core):
            assert largest(values, k).tolist() == by_sorting(values, k), core


@pytest.mark.parametrize("core", ["python", "native"])
@pytest.mark.parametrize("at", [0, 63, 64, 65, 999])
def test_place_in_a_block_does_not_matter(core: str, at: int) -> None:
    values = np.zeros(1000, np.float32)
    values[at] = 1
    with using_core(core):
        assert largest(values, 2).tolist() == [at, 1 if at == 0 else 0]
        assert largest(values[::-1], 1).tolist() == [999 - at]
        assert largest(values.astype(np.float64), 1).tolist() == [at]


@given(st.integers(1, 300), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 0.5, math.nan]))
def test_both_cores_find_the_largest_share(size: int, seed: int, planted: float) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=size).astype(np.float32)
    bounds = np.abs(random.normal(size=size)).astype(np.float32)
    at = random.integers(size)
    values[at], bounds[at] = random.choice([0, 1, planted]), planted
    with np.errstate(all="ignore"):
        shares = np.abs(values.astype(np.float64) / bounds)
    expected = np.where(values == 0, 0, shares).max()
    for core in ("python", "native"):
        with using_core(core):
            found = largest_share(values, bounds)
            assert found == pytest.approx(expected, rel=1e-14, nan_ok=True), core


def test_vectors_of_two_lengths_have_no_share() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        largest_share(np.ones(3, np.float32), np.ones(4, np.float32))
