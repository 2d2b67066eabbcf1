"""rmsnorm-kernel-v1, layernorm-kernel-v1, and the norms of qk-norm-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array, FloatArray


@contract("rmsnorm-kernel-v1", "rmsnorm")
def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    """`x · weight / sqrt(mean(x²) + eps)` along the last axis.

    Args:
        x: [..., d], finite.
        weight: [d].
        eps: Above 0; keeps a row of zeros at zero.

    Returns:
        [..., d] in the dtype of x and weight.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    return narrow(_rms_normalised(x, eps) * wide(weight), x, weight)


@contract("qk-norm-v1", "qk_norm")
def qk_norm(x: Array, weight: Array, eps: float) -> Array:
    """RMSNorm of each head: x [T, heads, hd], weight [hd], the same for all heads.

    Source: Henry et al. 2020, arXiv:2010.04245; with RMSNorm as in Qwen3, arXiv:2505.09388.
    """
    return narrow(_rms_normalised(x, eps) * wide(weight), x, weight)


@contract("layernorm-kernel-v1", "normalise")
def normalise(x: Array, eps: float) -> Array:
    """`(x - mean(x)) / sqrt(var(x) + eps)` along the last axis; x [..., d], in its dtype."""
    return narrow(_normalised(x, eps), x)


@contract("layernorm-kernel-v1", "layernorm")
def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """`normalise(x) · weight + bias`.

    Args:
        x: [..., d], finite.
        weight: [d].
        bias: [d]; zeros where a model has none.
        eps: Above 0.

    Returns:
        [..., d] in the dtype of x, weight and bias.

    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """
    return narrow(_normalised(x, eps) * wide(weight) + wide(bias), x, weight, bias)


def _rms_normalised(x: Array, eps: float) -> FloatArray:
    exact = wide(x)
    ret: FloatArray = exact / np.sqrt(np.square(exact).mean(axis=-1, keepdims=True) + eps)
    return ret


def _normalised(x: Array, eps: float) -> FloatArray:
    centred = wide(x) - wide(x).mean(axis=-1, keepdims=True)
    ret: FloatArray = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + eps)
    return ret
