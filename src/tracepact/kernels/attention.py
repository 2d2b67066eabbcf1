"""attention-kernel-v1, gqa-kernel-v1, and the scores of qk-norm-v1.

Shapes: T queries at the end of S positions, H query heads, KV key and value heads (H is a multiple
of KV), hd head dimension. Source: Vaswani et al. 2017, arXiv:1706.03762.
"""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.norms import qk_norm
from tracepact.kernels.precision import narrow, wide
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array


def causal_distance(queries: int, keys: int) -> Array:
    """Position of each query less that of each key, [queries, keys]; negative in the future."""
    return np.arange(keys - queries, keys)[:, None] - np.arange(keys)


@contract("attention-kernel-v1", "scores")
@contract("attention-kernel-v1", "causal_mask")
def attention_scores(x: Array, keys: Array, scale: float, distance: Array | None = None) -> Array:
    """Scaled dot products of queries and keys, -inf where a key lies after its query.

    Args:
        x: Queries [T, H, hd].
        keys: [KV, S, hd]; query head h reads key head h // (H // KV).
        scale: Most often hd ** -0.5.
        distance: Position of each query less that of each key [T, S]; None for queries at the
            end of the keys, as `causal_distance` has it.

    Returns:
        [H, T, S] in the dtype of x and keys.
    """
    shared = np.repeat(wide(keys), x.shape[1] // keys.shape[0], axis=0)
    scores = scale * np.einsum("thd,hsd->hts", wide(x), shared)
    if distance is None:
        distance = causal_distance(x.shape[0], keys.shape[1])
    return narrow(np.where(distance < 0, -np.inf, scores), x, keys)


@contract("attention-kernel-v1", "output")
def attention_output(weights: Array, values: Array) -> Array:
    """Sums of values by weight.

    Args:
        weights: [H, T, S], each row a distribution.
        values: [KV, S, hd]; query head h reads value head h // (H // KV).

    Returns:
        [T, H * hd] in the dtype of weights and values.
    """
    shared = np.repeat(wide(values), weights.shape[0] // values.shape[0], axis=0)
    mixed = np.einsum("hts,hsd->thd", wide(weights), shared)
    return narrow(mixed.reshape(mixed.shape[0], -1), weights, values)


@contract("gqa-kernel-v1", "equivalence")
@contract("flash-attention-v1", "output")
def attention(
    x: Array, keys: Array, values: Array, scale: float, reference: Array | None = None
) -> Array:
    """Causal attention in three steps: scores, softmax, output.

    What fused kernels and those that never repeat a key head must equal.

    Args:
        x: Queries [T, H, hd].
        keys: [KV, S, hd]; neighbouring query heads share a key head.
        values: [KV, S, hd].
        scale: Most often hd ** -0.5.
        reference: The same by another kernel; only a check reads it.

    Returns:
        [T, H * hd] in the dtype of x, keys and values.

    Source: Ainslie et al. 2023, arXiv:2305.13245, for heads that are shared.
    """
    weights = softmax(attention_scores(wide(x), wide(keys), scale))
    return narrow(attention_output(weights, wide(values)), x, keys, values)


@contract("gqa-kernel-v1", "grouping", bind={"group_size": "ret"})
def group_size(heads: int, kv_heads: int) -> int:
    """How many query heads share a key head."""
    return heads // kv_heads


@contract("gqa-kernel-v1", "head_mapping", bind={"kv_head": "ret"})
def kv_head(query_head: Array, heads: int, kv_heads: int) -> Array:
    """The key head that each query head reads: floor(query_head / (heads / kv_heads))."""
    return query_head // (heads // kv_heads)


@contract("qk-norm-v1", "logit_bound")
def normalised_scores(
    x: Array,
    keys: Array,
    q_weight: Array,
    k_weight: Array,
    eps: float,
    scale: float,
    head_dim: int | None = None,
) -> Array:
    """Scores of queries and keys whose heads were normalised first.

    Args:
        x: Queries [T, H, hd].
        keys: [KV, S, hd].
        q_weight: [hd].
        k_weight: [hd].
        eps: Above 0.
        scale: Most often hd ** -0.5.
        head_dim: hd; only a check reads it.

    Returns:
        [H, T, S] in the dtype of x and keys; -inf where a key lies after its query.
    """
    queries = qk_norm(wide(x), wide(q_weight), eps)
    return narrow(attention_scores(queries, qk_norm(wide(keys), wide(k_weight), eps), scale), x)
