"""quantized-matmul-v1 and quantization-ordering-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array, FloatArray


def quantise(w: Array, bits: int) -> tuple[Array, Array, Array]:
    """Codes, scale and minimum of rows [B, n], each a block with a symmetric scale.

    Returns:
        Codes [B, n] in [0, 2**bits - 2], scale and minimum [B, 1], all in float64.
    """
    levels = 2 ** (bits - 1) - 1
    top = np.abs(wide(w)).max(axis=-1, keepdims=True)
    scale = np.where(top > 0, top / levels, 1.0)
    return np.rint(wide(w) / scale) + levels, scale, -levels * scale


@contract("quantized-matmul-v1", "dequantise")
def dequantise(codes: Array, scale: Array, minimum: Array, bits: int) -> Array:
    """`scale · codes + minimum`.

    Args:
        codes: [B, n], whole numbers in [0, 2**bits).
        scale: [B, 1].
        minimum: [B, 1].
        bits: Of a code; only a check reads it.

    Returns:
        [B, n] in the dtype of scale and minimum.
    """
    return narrow(wide(scale) * wide(codes) + wide(minimum), scale, minimum)


@contract("quantized-matmul-v1", "matmul")
def quantised_matmul(
    x: Array,
    codes: Array,
    scale: Array,
    minimum: Array,
    bits: int,
    reference: Array | None = None,
    weight_norm: float | None = None,
    relative_error: float | None = None,
) -> Array:
    """`x · dequantise(codes, scale, minimum)ᵀ`, summed in float64.

    Args:
        x: [T, n].
        codes: [out, n], one block a row.
        scale: [out, 1].
        minimum: [out, 1].
        bits: Of a code.
        reference: Product with the weights before; only a check reads these three.
        weight_norm: Frobenius norm of the weights before.
        relative_error: Frobenius norm of what quantisation changed, by `weight_norm`.

    Returns:
        [T, out] in the dtype of x.
    """
    weight = dequantise(codes, wide(scale), wide(minimum), bits)
    return narrow(wide(x) @ weight.T, x)


@contract("quantized-matmul-v1", "bits_per_weight", bind={"bits_per_weight": "ret"})
def bits_per_weight(block_bytes: Array, block_size: Array) -> Array:
    """Bits that a weight takes, with its share of the block's scales."""
    return 8 * block_bytes / block_size


@contract("quantization-ordering-v1", "metric_consistency", bind={"cosine": "ret"})
def cosine(w: Array, q: Array, relative_error: FloatArray | None = None) -> FloatArray:
    """Cosine of the angle between rows of w and q [B, n], not all zeros, in float64.

    `relative_error` of the same rows [B] is what only a check reads.
    """
    lengths = np.linalg.norm(wide(w), axis=-1) * np.linalg.norm(wide(q), axis=-1)
    return narrow(np.einsum("bn,bn->b", wide(w), wide(q)) / lengths)


def relative_error(w: Array, q: Array) -> FloatArray:
    """|w - q| / |w| of rows [B, n], none of w all zeros, in float64."""
    return narrow(np.linalg.norm(wide(w) - wide(q), axis=-1) / np.linalg.norm(wide(w), axis=-1))


@contract("quantization-ordering-v1", "signal_to_noise", bind={"snr_db": "ret"})
def signal_to_noise(relative_error: FloatArray) -> FloatArray:
    """Decibels of a relative error above 0."""
    return -20 * np.log10(relative_error)
