"""rope-kernel-v1.

Source: Su et al. 2021, arXiv:2104.09864.
"""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


def rotation_table(positions: Array, pairs: int, base: float = 10_000.0) -> tuple[Array, Array]:
    """Cosines and sines [T, pairs] in float32 for positions [T]."""
    angles = wide(positions)[:, None] * base ** (-np.arange(pairs) / pairs)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


@contract("rope-kernel-v1", "rope")
@contract("rope-kernel-v1", "half_split")
def rope_half(x: Array, cos: Array, sin: Array, reference: Array | None = None) -> Array:
    """Rotate the pairs (i, i + hd/2) of each head.

    Args:
        x: [T, heads, hd].
        cos: [T, hd/2].
        sin: [T, hd/2].
        reference: The same by another kernel; only a check reads it.

    Returns:
        [T, heads, hd] in the dtype of x.
    """
    real, imaginary = np.split(wide(x), 2, axis=-1)
    c, s = wide(cos)[:, None, :], wide(sin)[:, None, :]
    turned = [real * c - imaginary * s, real * s + imaginary * c]
    return narrow(np.concatenate(turned, axis=-1), x)


@contract("rope-kernel-v1", "rope")
@contract("rope-kernel-v1", "interleaved")
def rope_interleaved(x: Array, cos: Array, sin: Array, reference: Array | None = None) -> Array:
    """Rotate the pairs (2i, 2i + 1) of each head; shapes as in `rope_half`."""
    real, imaginary = wide(x)[..., 0::2], wide(x)[..., 1::2]
    c, s = wide(cos)[:, None, :], wide(sin)[:, None, :]
    turned = [real * c - imaginary * s, real * s + imaginary * c]
    return narrow(np.stack(turned, axis=-1).reshape(x.shape), x)


@contract("rope-kernel-v1", "relative_position", bind={"score": "ret"})
def rotated_score(
    q: Array,
    k: Array,
    m: Array,
    n: Array,
    shifted_score: Array | None = None,
    q_norm: Array | None = None,
    k_norm: Array | None = None,
) -> Array:
    """Dot products of queries rotated to positions m with keys rotated to positions n.

    Args:
        q: [T, hd].
        k: [T, hd].
        m: Positions [T] of q.
        n: Positions [T] of k.
        shifted_score: The same with all positions moved equally; only a check reads these three.
        q_norm: Lengths [T] of q.
        k_norm: Lengths [T] of k.

    Returns:
        [T] in the dtype of q and k.
    """
    turned = [
        rope_half(wide(x)[:, None, :], *rotation_table(at, x.shape[-1] // 2))[:, 0]
        for x, at in ((q, m), (k, n))
    ]
    return narrow(np.einsum("td,td->t", *turned), q, k)
