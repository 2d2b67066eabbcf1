"""How far one tensor is from another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import CHUNK_ELEMENTS, ErrorStats, compare, compare_product, using_core

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


@pytest.mark.parametrize("core", ["python", "native"])
def test_block_maximum_is_of_the_block_that_holds_the_worst_element(core: str) -> None:
    reference = np.zeros(100)
    reference[[10, 33, 63, 64]] = [9, -5, 4, 8]
    value = reference.copy()
    value[40] = 1
    with using_core(core):
        assert compare(reference, value).block_max == 5
        reference[41] = NAN
        assert math.isnan(compare(reference, value).block_max)


@given(st.integers(1, 40), st.integers(1, 90), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_product_is_compared_as_its_float64_reference_is(
    rows: int, n: int, biased: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(size=(rows, n)).astype(np.float32)
    x, bias = (random.normal(size=size).astype(np.float32) for size in (n, rows))
    reference = weight.astype(np.float64) @ x.astype(np.float64) + (bias if biased else 0)
    value = (reference + random.normal(size=rows)).astype(np.float32)
    expected = compare(reference, value)
    for core in ("python", "native"):
        with using_core(core):
            found = compare_product(weight, x, value, bias if biased else None)
        for name in ErrorStats.__slots__:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9), name


@pytest.mark.parametrize("core", ["python", "native"])
@pytest.mark.parametrize("where", ["weight", "x", "value", "bias"])
def test_nan_in_a_product_makes_every_figure_nan(core: str, where: str) -> None:
    fields = {"weight": np.ones((3, 4)), "x": np.ones(4), "value": np.ones(3), "bias": np.ones(3)}
    fields = {name: field.astype(np.float32) for name, field in fields.items()}
    fields[where].flat[-1] = NAN
    with using_core(core):
        found = compare_product(**fields)
    assert math.isnan(found.relative_error)
    assert math.isnan(found.max_abs_error)


@pytest.mark.parametrize("core", ["python", "native"])
def test_a_product_of_other_types_and_layouts_is_compared_too(core: str) -> None:
    weight = np.arange(24, dtype=np.float16).reshape(4, 6)[:, ::2]
    x = np.arange(3)
    with using_core(core):
        assert compare_product(weight, x, weight @ x).max_abs_error == 0
        with pytest.raises(ValueError, match="cannot compare shapes"):
            compare_product(weight, x, np.zeros(5))
