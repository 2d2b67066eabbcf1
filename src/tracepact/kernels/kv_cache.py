"""kv-cache-equivalence-v1."""

from __future__ import annotations

from tracepact.enforce import contract
from tracepact.kernels.attention import attention
from tracepact.types import Array


@contract("kv-cache-equivalence-v1", "append")
@contract("kv-cache-equivalence-v1", "prefix")
def append(x: Array, cache: Array, position: int, prefix: Array | None = None) -> Array:
    """Write keys or values of new positions into a cache.

    Args:
        x: [T, KV, hd], finite.
        cache: [S, KV, hd], S >= position + T; written to.
        position: Of the first row of x.
        prefix: `cache[:position]`, which must stay as it is; only a check reads it.

    Returns:
        What the cache holds at those positions [T, KV, hd], as a view.
    """
    held = cache[position : position + len(x)]
    held[...] = x
    return held


@contract("kv-cache-equivalence-v1", "decode")
def decode(
    x: Array, keys: Array, values: Array, scale: float, reference: Array | None = None
) -> Array:
    """Attention of the newest query alone over all cached keys and values.

    Args:
        x: The newest query [1, H, hd].
        keys: [KV, S, hd], those of the newest position among them.
        values: [KV, S, hd].
        scale: Most often hd ** -0.5.
        reference: Last row of a pass over all queries [H * hd]; only a check reads it.

    Returns:
        [H * hd] in the dtype of x, keys and values.
    """
    ret: Array = attention(x, keys, values, scale)[-1]
    return ret
