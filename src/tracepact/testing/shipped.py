"""Strategies of shipped contracts whose inputs depend on each other in ways no predicate says."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tracepact.testing.hooks import Drawn, shipped
from tracepact.testing.strategies import Draw, Values, arrays
from tracepact.types import Array


def _size(draw: Draw) -> int:
    return int(draw(st.integers(1, 8)))


def _dtype(draw: Draw) -> Any:
    return draw(st.sampled_from((np.float32, np.float64)))


@shipped("linear-projection-v1", "checksum")
def _checksum(draw: Draw, given: Drawn) -> Drawn:
    """A weight, and the checksums that are taken of it when a model is loaded."""
    rows, columns, tokens, dtype = _size(draw), _size(draw), _size(draw), _dtype(draw)
    weight = arrays(draw, (rows, columns), dtype)
    wide = weight.astype(np.float64)
    bias = draw(st.none() | st.just(arrays(draw, (rows,), dtype)))
    return {
        "x": arrays(draw, (tokens, columns), dtype),
        "weight": weight,
        "bias": bias,
        "column_sums": wide.sum(axis=0),
        "weight_norm": float(np.linalg.norm(wide)),
        "bias_sum": 0.0 if bias is None else float(bias.astype(np.float64).sum()),
    }


@shipped("rope-kernel-v1", "interleaved")
@shipped("rope-kernel-v1", "half_split")
@shipped("rope-kernel-v1", "rope")
def _rope(draw: Draw, given: Drawn) -> Drawn:
    """Cosine and sine of the same angles."""
    tokens, heads, half, dtype = _size(draw), _size(draw), _size(draw), _dtype(draw)
    angles = arrays(draw, (tokens, half), np.float64, Values(lowest=-7.0, highest=7.0))
    return {
        "x": arrays(draw, (tokens, heads, 2 * half), dtype),
        "cos": np.cos(angles).astype(dtype),
        "sin": np.sin(angles).astype(dtype),
    }


@shipped("gqa-kernel-v1", "equivalence")
@shipped("flash-attention-v1", "output")
@shipped("attention-kernel-v1", "causal_mask")
@shipped("attention-kernel-v1", "scores")
def _attention(draw: Draw, given: Drawn) -> Drawn:
    """Queries belong to the last of the positions; whole groups of them read a key head."""
    dtype, kv_heads, width = _dtype(draw), draw(st.integers(1, 4)), _size(draw)
    tokens, before = draw(st.integers(1, 6)), draw(st.integers(0, 4))
    usual = Values(lowest=-30.0, highest=30.0)
    heads, positions = kv_heads * draw(st.integers(1, 4)), before + tokens
    return {
        "x": arrays(draw, (tokens, heads, width), dtype, usual),
        "keys": arrays(draw, (kv_heads, positions, width), dtype, usual),
        "values": arrays(draw, (kv_heads, positions, width), dtype, usual),
        "scale": width**-0.5,
        "distance": np.arange(before, positions)[:, None] - np.arange(positions),
    }


@shipped("gqa-kernel-v1", "head_mapping")
def _heads(draw: Draw, given: Drawn) -> Drawn:
    """Every query head of a model."""
    kv_heads = _size(draw)
    heads = kv_heads * _size(draw)
    return {"heads": heads, "kv_heads": kv_heads, "query_head": np.arange(heads)}


@shipped("kv-cache-equivalence-v1", "append")
def _append(draw: Draw, given: Drawn) -> Drawn:
    """A cache with room for `x`, wherever it is put."""
    x: Array = given["x"]
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    cache = arrays(draw, (before + len(x) + after, *x.shape[1:]), x.dtype)
    return {"cache": cache, "position": before}


@shipped("f16-conversion-v1", "overflow")
def _overflow(draw: Draw, given: Drawn) -> Drawn:
    """Magnitudes that float16 does not have."""
    large = arrays(draw, (_size(draw),), _dtype(draw), Values(lowest=65520.0, highest=1e30))
    return {"x": large * draw(st.sampled_from((1, -1)))}


@shipped("attention-kernel-v1", "output")
def _output(draw: Draw, given: Drawn) -> Drawn:
    """Rows of weights sum to 1, whole groups of query heads read a value head."""
    kv_heads, group, tokens, positions = (
        _size(draw),
        draw(st.integers(1, 4)),
        _size(draw),
        _size(draw),
    )
    dtype = _dtype(draw)
    shape = kv_heads * group, tokens, positions
    scores = arrays(draw, shape, np.float64, Values(lowest=-30.0, highest=30.0))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return {
        "weights": weights.astype(dtype),
        "values": arrays(draw, (kv_heads, positions, _size(draw)), dtype),
    }


@shipped("sampling-algorithms-v1", "top_p")
@shipped("sampling-algorithms-v1", "top_k")
def _probabilities(draw: Draw, given: Drawn) -> Drawn:
    """Probabilities sum to 1."""
    scores = arrays(draw, (_size(draw),), np.float64, Values(lowest=-30.0, highest=30.0))
    x = np.exp(scores - scores.max())
    return {"x": (x / x.sum()).astype(_dtype(draw))}
