"""model-config-algebra-v1 and kv-cache-sizing-v1: parameters and bytes.

Whole numbers, or arrays of them, which broadcast.
"""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


@contract("model-config-algebra-v1", "attention_width")
def attention_width(
    heads: Array, kv_heads: Array, head_dim: Array, q_width: Array, kv_width: Array
) -> None:
    """Write the columns of queries into q_width, those of keys and of values into kv_width."""
    q_width[...] = heads * head_dim
    kv_width[...] = kv_heads * head_dim


@contract("model-config-algebra-v1", "layer_parameters", bind={"layer_params": "ret"})
def layer_parameters(
    hidden: Array, heads: Array, kv_heads: Array, head_dim: Array, ff: Array
) -> Array:
    """Parameters of a llama layer, tensor by tensor."""
    query = output = hidden * heads * head_dim
    key = value = hidden * kv_heads * head_dim
    gate = up = down = hidden * ff
    norms = hidden + hidden
    ret: Array = query + key + value + output + gate + up + down + norms
    return ret


@contract("model-config-algebra-v1", "total_parameters", bind={"total_params": "ret"})
def total_parameters(
    vocab: Array, hidden: Array, layers: Array, layer_params: Array, tied: Array
) -> Array:
    """Parameters of the model: tables (one where tied is 1), layers and the final norm."""
    tables = np.where(np.equal(tied, 1), 1, 2)
    ret: Array = tables * vocab * hidden + layers * layer_params + hidden
    return ret


@contract("model-config-algebra-v1", "logit_bound", bind={"logits": "ret"})
def logits_of(
    hidden_state: Array,
    output: Array,
    output_norms: Array | None = None,
    hidden_norm: float | None = None,
) -> Array:
    """Logits [V] of a hidden state [d] and output rows [V, d].

    `output_norms` [V] and `hidden_norm` are their lengths, which only a check reads.
    """
    return narrow(wide(output) @ wide(hidden_state), hidden_state, output)


@contract("kv-cache-sizing-v1", "bytes_per_token", bind={"bytes_per_token": "ret"})
def bytes_per_token(
    layers: Array, kv_heads: Array, head_dim: Array, bytes_per_element: Array
) -> Array:
    """Bytes of the keys and values that one position adds."""
    keys = values = layers * kv_heads * head_dim
    ret: Array = (keys + values) * bytes_per_element
    return ret


@contract("kv-cache-sizing-v1", "cache_bytes", bind={"cache_bytes": "ret"})
def cache_bytes(bytes_per_token: Array, capacity: Array, sequences: Array) -> Array:
    """Bytes of a cache of `capacity` positions for each of `sequences`."""
    return bytes_per_token * capacity * sequences


@contract("kv-cache-sizing-v1", "gqa_saving", bind={"gqa_bytes": "ret"})
def grouped_cache_bytes(mha_bytes: Array, heads: Array, kv_heads: Array) -> Array:
    """Bytes of a cache with kv_heads key heads, from those with one for each query head."""
    return mha_bytes // heads * kv_heads


@contract("kv-cache-sizing-v1", "memory_fit", bind={"cache_bytes": "ret"})
def largest_cache(weights_bytes: Array, bytes_per_token: Array, memory_bytes: Array) -> Array:
    """Bytes of the longest cache of whole positions that fits into memory beside the weights."""
    return (memory_bytes - weights_bytes) // bytes_per_token * bytes_per_token
