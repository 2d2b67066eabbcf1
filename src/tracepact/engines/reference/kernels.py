"""The operations of a decoder-only transformer, in NumPy float32.

Pure functions, called by keyword; the parameter names are the field names that contracts use, and
each function is held to the contract that its decorator names (`TRACEPACT=off` or `python -O`
leave the bare function). Inputs that only a check reads (`column_sums`, `weight_norm`, …) are
accepted and ignored, so that one set of fields serves both the kernel and the checks.

Shapes: T tokens of this pass, S positions in use (those before this pass and its own),
H query heads, KV key/value heads (H is a multiple of KV), hd head dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tracepact.enforce import contract
from tracepact.types import Array

__all__ = [
    "attention_output",
    "attention_scores",
    "embedding",
    "linear",
    "residual_add",
    "rms_norm",
    "rope_half",
    "rope_interleaved",
    "softmax",
    "swiglu",
]

RopeKernel: TypeAlias = Callable[..., Array]

# exp(88) is the largest power of e that float32 holds.
_EXP_LIMIT = np.float32(88.0)


@contract("embedding-lookup-v1", "lookup")
def embedding(*, tokens: Array, weight: Array) -> Array:
    """Rows of `weight` [V, d] for `tokens` [T] int; returns [T, d]."""
    ret: Array = weight[tokens]
    return ret


@contract("rmsnorm-kernel-v1", "rmsnorm")
def rms_norm(*, x: Array, weight: Array, eps: float) -> Array:
    """`x / sqrt(mean(x²) + eps) · weight` along the last axis; x [..., d], weight [d].

    Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    mean_square = np.add.reduce(x * x, axis=-1, keepdims=True) / np.float32(x.shape[-1])
    ret: Array = x / np.sqrt(mean_square + np.float32(eps))
    ret *= weight
    return ret


@contract("linear-projection-v1", "checksum")
def linear(
    *,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    column_sums: Array | None = None,
    bias_sum: float = 0.0,
    weight_norm: float | None = None,
    **_evidence: object,
) -> Array:
    """`x · weightᵀ + bias`; x [T, in], weight [out, in], bias [out]; returns [T, out].

    With T = 1 this is a matrix-vector product and reads `weight` once at memory speed.

    The product is checked where its checksums are handed in: column_sums [in] of `weight`, the
    bias's sum and the weight's Frobenius norm, as `Linear.checked_inputs` has them.
    """
    ret: Array = x @ weight.T
    if bias is not None:
        ret += bias
    return ret


@contract("rope-kernel-v1", "rope")
def rope_interleaved(*, x: Array, cos: Array, sin: Array) -> Array:
    """Rotate the pairs (2i, 2i + 1) of each head; x [T, heads, hd], cos and sin [T, hd/2].

    Source: Su et al. 2021, arXiv:2104.09864; the layout of llama models in GGUF.
    """
    ret = np.empty(x.shape, dtype=x.dtype)
    _rotate(x[..., 0::2], x[..., 1::2], cos, sin, ret[..., 0::2], ret[..., 1::2])
    return ret


@contract("rope-kernel-v1", "rope")
def rope_half(*, x: Array, cos: Array, sin: Array) -> Array:
    """Rotate the pairs (i, i + hd/2) of each head; shapes as in `rope_interleaved`."""
    half = x.shape[-1] // 2
    ret = np.empty(x.shape, dtype=x.dtype)
    _rotate(x[..., :half], x[..., half:], cos, sin, ret[..., :half], ret[..., half:])
    return ret


def _rotate(
    real: Array, imag: Array, cos: Array, sin: Array, out_real: Array, out_imag: Array
) -> None:
    cos, sin = cos[:, None, :], sin[:, None, :]
    np.subtract(real * cos, imag * sin, out=out_real)
    np.add(real * sin, imag * cos, out=out_imag)


@contract("attention-kernel-v1", "scores")
def attention_scores(*, x: Array, keys: Array, scale: float) -> Array:
    """Scaled, causally masked dot products of queries and keys.

    Args:
        x: queries [T, H, hd]; they belong to the last T of the S positions.
        keys: [KV, S, hd]; query head h reads key head h // (H // KV).
        scale: factor on the products, usually hd ** -0.5.

    Returns:
        [H, T, S]; −inf where a key lies after the query.
    """
    tokens, heads, head_dim = x.shape
    kv_heads, positions, _ = keys.shape
    group = heads // kv_heads
    grouped = (x * np.float32(scale)).reshape(tokens, kv_heads, group, head_dim)
    queries = grouped.transpose(1, 2, 0, 3).reshape(kv_heads, group * tokens, head_dim)
    ret: Array = (queries @ keys.transpose(0, 2, 1)).reshape(heads, tokens, positions)
    if tokens > 1:
        ret[:, :, positions - tokens :][:, ~np.tri(tokens, dtype=np.bool_)] = -np.inf
    return ret


@contract("softmax-kernel-v1", "softmax")
def softmax(*, x: Array) -> Array:
    """Softmax along the last axis, shifted by each row's maximum; −inf entries become 0."""
    ret: Array = x - np.maximum.reduce(x, axis=-1, keepdims=True)
    np.exp(ret, out=ret)
    ret /= np.add.reduce(ret, axis=-1, keepdims=True)
    return ret


@contract("attention-kernel-v1", "output")
def attention_output(*, weights: Array, values: Array) -> Array:
    """Weighted sums of values; weights [H, T, S], values [KV, S, hd]; returns [T, H·hd]."""
    heads, tokens, positions = weights.shape
    kv_heads, _, head_dim = values.shape
    group = heads // kv_heads
    sums = weights.reshape(kv_heads, group * tokens, positions) @ values
    ret: Array = sums.reshape(heads, tokens, head_dim).transpose(1, 0, 2)
    return ret.reshape(tokens, heads * head_dim)


@contract("activation-kernel-v1", "swiglu")
def swiglu(*, gate: Array, up: Array) -> Array:
    """`silu(gate) · up`, element by element; gate and up [T, ff].

    The exponent is capped where silu is 0 anyway (within 1e-30 down to a gate of −1e6), so
    nothing overflows.
    Source: Shazeer 2020, arXiv:2002.05202.
    """
    ret: Array = np.exp(np.minimum(-gate, _EXP_LIMIT))
    ret += np.float32(1.0)
    np.divide(gate, ret, out=ret)
    ret *= up
    return ret


@contract("tensor-shape-flow-v1", "residual")
def residual_add(*, x: Array, update: Array) -> Array:
    """`x + update`."""
    ret: Array = x + update
    return ret
