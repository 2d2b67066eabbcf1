"""flash-attention-v1 and sliding-window-attention-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.attention import attention_output, attention_scores
from tracepact.kernels.precision import narrow, wide
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array, FloatArray


@contract("flash-attention-v1", "online_update")
def online_update(
    m_old: Array, l_old: Array, m_block: Array, l_block: Array, m_new: Array, l_new: Array
) -> None:
    """Merge the statistics of a tile of scores into those of the tiles before it.

    Args:
        m_old: Running maximum [...], -inf at first.
        l_old: Running sum of exp(score - m_old) [...], 0 at first.
        m_block: Maximum of the tile [...].
        l_block: Sum of exp(score - m_block) over the tile [...].
        m_new: Where the new maximum is written.
        l_new: Where the new sum is written.

    Source: Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.
    """
    np.maximum(m_old, m_block, out=m_new)
    shrink_old, shrink_block = (np.exp(wide(m) - wide(m_new)) for m in (m_old, m_block))
    l_new[...] = wide(l_old) * shrink_old + wide(l_block) * shrink_block


@contract("flash-attention-v1", "output")
def tiled_attention(
    x: Array,
    keys: Array,
    values: Array,
    scale: float,
    tile: int = 4,
    reference: Array | None = None,
) -> Array:
    """Causal attention over tiles of `tile` keys with a running maximum, as fused kernels do it.

    No row of scores is ever whole. The other arguments and the result are those of
    `attention.attention`.
    """
    first = keys.shape[1] - x.shape[0]
    rows = [
        _tiled_row(wide(x)[index], wide(keys)[:, :end], wide(values)[:, :end], scale, tile)
        for index, end in enumerate(range(first + 1, keys.shape[1] + 1))
    ]
    return narrow(np.stack(rows), x, keys, values)


def _tiled_row(
    query: FloatArray, keys: FloatArray, values: FloatArray, scale: float, tile: int
) -> FloatArray:
    """Output [H * hd] of one query [H, hd] that sees all keys."""
    shared = np.repeat(values, len(query) // len(values), axis=0)
    top, total, mixed = np.full(len(query), -np.inf), np.zeros(len(query)), np.zeros(query.shape)
    for start in range(0, keys.shape[1], tile):
        near = slice(start, start + tile)
        scores = attention_scores(query[None], keys[:, near], scale)[:, 0]
        block = scores.max(axis=-1)
        powers = np.exp(scores - block[:, None])
        before, old_total = top, total
        top, total = np.empty_like(top), np.empty_like(total)
        online_update(before, old_total, block, powers.sum(axis=-1), top, total)
        added = np.einsum("hs,hsd->hd", powers, shared[:, near])
        mixed = mixed * np.exp(before - top)[:, None] + added * np.exp(block - top)[:, None]
    return (mixed / total[:, None]).ravel()


@contract("sliding-window-attention-v1", "mask")
def window_weights(x: Array, distance: Array, window: int) -> Array:
    """Softmax of scores over the keys of a window that ends at the query.

    Args:
        x: Scores [..., T, S].
        distance: Position of each query less that of each key [T, S].
        window: How many positions a query sees, its own among them.

    Returns:
        [..., T, S] in the dtype of x; exactly 0 outside of the window.

    Source: Beltagy, Peters & Cohan 2020, arXiv:2004.05150.
    """
    visible = (distance >= 0) & (distance < window)
    return narrow(softmax(np.where(visible, wide(x), -np.inf)), x)


@contract("sliding-window-attention-v1", "output")
def window_attention(
    x: Array,
    keys: Array,
    values: Array,
    scale: float,
    window: int,
    reference: Array | None = None,
) -> Array:
    """Attention that reads the last `window` keys only; one query after the other.

    Arguments and result as in `tiled_attention`, and `window` as in `window_weights`.
    """
    first = keys.shape[1] - x.shape[0]
    rows = []
    for index in range(x.shape[0]):
        end = first + index + 1
        near = slice(max(0, end - window), end)
        query = wide(x)[index : index + 1]
        weights = softmax(attention_scores(query, wide(keys)[:, near], scale))
        rows.append(attention_output(weights, wide(values)[:, near]))
    return narrow(np.concatenate(rows), x, keys, values)


@contract("sliding-window-attention-v1", "receptive_field", bind={"receptive_field": "ret"})
def receptive_field(layers: Array, window: Array) -> Array:
    """How many positions a token of the last layer can know of."""
    ret: Array = layers * (window - 1) + 1
    return ret


@contract("sliding-window-attention-v1", "cached_positions", bind={"used": "ret"})
def cached_positions(seen: Array, window: Array) -> Array:
    """Positions that the cache of a windowed layer holds after `seen` tokens."""
    return np.minimum(seen, window)
