"""Each kernel against the formula written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.engines.reference import kernels
from tracepact.types import Array

SIZES = st.integers(1, 6)


def normal(*shape: int, scale: float = 1.0) -> Array:
    random = np.random.default_rng(sum(shape))
    return (scale * random.standard_normal(shape)).astype(np.float32)


def assert_close(got: Array, expected: Array) -> None:
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(autouse=True)
def _numpy_warnings_raise() -> object:
    """Healthy inputs never overflow, divide by zero or give NaN; underflow to 0 is legitimate."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


def test_embedding_takes_rows() -> None:
    weight = normal(5, 3)
    assert kernels.embedding(tokens=np.array([4, 0, 4]), weight=weight).tolist() == (
        weight[[4, 0, 4]].tolist()
    )


@given(tokens=SIZES, heads=SIZES, size=SIZES, scale=st.sampled_from([1e-4, 1.0, 22500.0]))
def test_rms_norm_divides_by_the_root_mean_square(
    tokens: int, heads: int, size: int, scale: float
) -> None:
    x, weight = normal(tokens, heads, size, scale=scale), normal(size)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5) * weight
    assert_close(kernels.rms_norm(x=x, weight=weight, eps=1e-5), expected)


@given(tokens=SIZES, columns=SIZES, rows=SIZES, biased=st.booleans())
def test_linear_multiplies_with_the_rows_of_the_weight(
    tokens: int, columns: int, rows: int, biased: bool
) -> None:
    x, weight = normal(tokens, columns), normal(rows, columns)
    bias = normal(rows) if biased else None
    expected = x.astype(np.float64) @ weight.T.astype(np.float64) + (0.0 if bias is None else bias)
    got = kernels.linear(x=x, weight=weight, bias=bias, column_sums=None, bias_sum=0.0)
    assert_close(got, expected)


def test_linear_leaves_its_inputs_alone() -> None:
    x, weight, bias = normal(2, 3), normal(4, 3), normal(4)
    before = [array.copy() for array in (x, weight, bias)]
    kernels.linear(x=x, weight=weight, bias=bias)
    assert all(np.array_equal(a, b) for a, b in zip(before, (x, weight, bias), strict=True))


def angles(tokens: int, half: int) -> Array:
    return np.random.default_rng(7).uniform(-3, 3, (tokens, half))


@given(tokens=SIZES, heads=SIZES, half=SIZES)
def test_interleaved_rope_turns_neighbours_as_complex_numbers(
    tokens: int, heads: int, half: int
) -> None:
    x, angle = normal(tokens, heads, 2 * half), angles(tokens, half)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)[:, None, :]
    expected = np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    assert_close(kernels.rope_interleaved(x=x, cos=cos, sin=sin), expected)


@given(tokens=SIZES, heads=SIZES, half=SIZES)
def test_half_rope_turns_the_halves_as_complex_numbers(tokens: int, heads: int, half: int) -> None:
    x, angle = normal(tokens, heads, 2 * half), angles(tokens, half)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angle)[:, None, :]
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    assert_close(kernels.rope_half(x=x, cos=cos, sin=sin), expected)


@given(tokens=SIZES, before=st.integers(0, 5), kv_heads=SIZES, group=SIZES, head_dim=SIZES)
def test_scores_pair_each_query_head_with_its_group_and_hide_the_future(
    tokens: int, before: int, kv_heads: int, group: int, head_dim: int
) -> None:
    positions = before + tokens
    x = normal(tokens, kv_heads * group, head_dim)
    keys = normal(kv_heads, positions, head_dim)
    expected = np.full((kv_heads * group, tokens, positions), -np.inf)
    for head in range(kv_heads * group):
        for token in range(tokens):
            for position in range(before + token + 1):
                product = np.dot(x[token, head].astype(np.float64), keys[head // group, position])
                expected[head, token, position] = 0.3 * product
    assert_close(kernels.attention_scores(x=x, keys=keys, scale=0.3), expected)


@given(rows=SIZES, columns=SIZES, scale=st.sampled_from([1.0, 200.0, 1e4]))
def test_softmax_is_the_normalised_exponential(rows: int, columns: int, scale: float) -> None:
    x = normal(2, rows, columns, scale=scale)
    wide = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    assert_close(kernels.softmax(x=x), wide / wide.sum(-1, keepdims=True))


def test_softmax_gives_masked_entries_no_weight() -> None:
    x = np.array([[[0.0, -np.inf, 0.0]]], dtype=np.float32)
    assert kernels.softmax(x=x).tolist() == [[[0.5, 0.0, 0.5]]]


@given(tokens=SIZES, positions=SIZES, kv_heads=SIZES, group=SIZES, head_dim=SIZES)
def test_attention_output_mixes_the_values_of_the_group(
    tokens: int, positions: int, kv_heads: int, group: int, head_dim: int
) -> None:
    weights = np.abs(normal(kv_heads * group, tokens, positions))
    values = normal(kv_heads, positions, head_dim)
    expected = np.empty((tokens, kv_heads * group, head_dim))
    for head in range(kv_heads * group):
        expected[:, head] = weights[head].astype(np.float64) @ values[head // group]
    got = kernels.attention_output(weights=weights, values=values)
    assert_close(got, expected.reshape(tokens, -1))


def test_swiglu_is_silu_of_the_gate_times_up() -> None:
    gate, up = normal(3, 8, scale=5.0), normal(3, 8)
    wide = gate.astype(np.float64)
    assert_close(kernels.swiglu(gate=gate, up=up), wide / (1 + np.exp(-wide)) * up)


def test_swiglu_of_large_gates_is_the_gate_or_nothing() -> None:
    gate = np.array([[-1e6, -1e4, -89.0, 0.0, 89.0, 1e4, 3e38]], dtype=np.float32)
    ret = kernels.swiglu(gate=gate, up=np.ones_like(gate))
    np.testing.assert_allclose(ret, np.maximum(gate, 0.0), rtol=1e-6, atol=1e-30)


def test_swiglu_passes_nan_on() -> None:
    gate = np.array([[np.nan, 1.0]], dtype=np.float32)
    ret = kernels.swiglu(gate=gate, up=np.ones_like(gate))
    assert np.isnan(ret).tolist() == [[True, False]]


def test_residual_adds_into_a_new_array() -> None:
    x, update = normal(2, 3), normal(2, 3)
    ret = kernels.residual_add(x=x, update=update)
    assert np.array_equal(ret, x + update)
    assert not np.shares_memory(ret, x)
