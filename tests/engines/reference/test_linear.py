"""Claims about checksums and rows of a weight matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.engines.reference.linear import Linear
from tracepact.engines.reference.model import ReferenceModel
from tracepact.errors import ConfigError
from tracepact.types import BrickId

WriteGguf = Callable[..., Path]


def random_linear(rows: int, columns: int, biased: bool = True) -> Linear:
    random = np.random.default_rng(rows)
    weight = random.standard_normal((rows, columns)).astype(np.float32)
    bias = random.standard_normal(rows).astype(np.float32) if biased else None
    return Linear(weight, bias, ())


@given(rows=st.integers(1, 400), columns=st.integers(1, 9))
def test_checksums_are_sums_in_float64(rows: int, columns: int) -> None:
    linear = random_linear(rows, columns)
    wide = linear.weight.astype(np.float64)
    np.testing.assert_allclose(linear.column_sums, wide.sum(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(linear.row_norms, np.linalg.norm(wide, axis=1), rtol=1e-12)
    assert linear.weight_norm == pytest.approx(np.linalg.norm(wide), rel=1e-12)
    assert linear.bias is not None
    assert linear.bias_sum == pytest.approx(linear.bias.astype(np.float64).sum())
    assert linear.column_sums.dtype == np.float64


def test_without_bias_its_sum_is_zero() -> None:
    assert random_linear(3, 3, biased=False).bias_sum == 0.0


def test_nbytes_counts_weight_and_bias() -> None:
    assert random_linear(3, 5).nbytes == 4 * (15 + 3)
    assert random_linear(3, 5, biased=False).nbytes == 4 * 15


def test_checksums_remember_the_weight_from_before_a_change() -> None:
    linear = random_linear(8, 4)
    before = linear.column_sums.copy()
    linear.weight[3, 2] += 100.0
    assert np.array_equal(linear.checked_inputs["column_sums"], before)
    assert linear.checked_inputs["weight"][3, 2] > 90.0


def test_a_weight_with_nan_has_checksums_with_nan() -> None:
    linear = random_linear(4, 3)
    linear.weight[0, 1] = np.nan
    assert np.isnan(linear.column_sums).tolist() == [False, True, False]
    assert np.isnan(linear.weight_norm)


def test_rows_come_from_the_file_whatever_happened_in_memory(write_gguf: WriteGguf) -> None:
    """Rows of the joined matrix are found in the tensor that they came from."""
    model = ReferenceModel.load(write_gguf(type=gguf.GGMLQuantizationType.Q8_0))
    qkv = model.weight_of(BrickId.QkvProjection, 1)
    healthy = qkv.weight.copy()
    qkv.weight[:] = np.nan
    for rows in ([63, 0, 31, 32, 47, 48, 5], [50], []):
        got = model.dequantise_rows(BrickId.QkvProjection, 1, np.array(rows, dtype=int))
        assert np.array_equal(got, healthy[np.array(rows, dtype=int)])


@pytest.mark.parametrize("rows", [[64], [-1], [0, 10**9]])
def test_a_row_that_does_not_exist_is_refused(rows: list[int], write_gguf: WriteGguf) -> None:
    model = ReferenceModel.load(write_gguf())
    with pytest.raises(ConfigError, match=r"not all among the 64 rows of blk\.0\.attn_q\.weight"):
        model.dequantise_rows(BrickId.QkvProjection, 0, np.array(rows))
