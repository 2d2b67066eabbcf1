"""attention-kernel-v1, gqa-kernel-v1, flash-attention-v1, sliding-window-attention-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, rng, whole
from library_examples.kernels import (
    attention_output,
    attention_scores,
    causal_distance,
    log_sum_exp,
    softmax,
)

from tracepact.types import Array

_Q, _K, _V = normal(6, 4, 16), normal(2, 10, 16), normal(10, 2, 16).transpose(1, 0, 2)
_SCORES = attention_scores(_Q, _K, 0.25)
_WEIGHTS = softmax(_SCORES)
_SMALL = grid(2, 3)


def _scores(x: Array, keys: Array, scale: float) -> Fields:
    return {"x": x, "keys": keys, "scale": scale, "ret": attention_scores(x, keys, scale)}


def _mixed(weights: Array, values: Array) -> Fields:
    return {"values": values, "ret": attention_output(weights, values)}


def _small_attention() -> tuple[Array, Array]:
    """Weights [1, 9, 9] and values [1, 9, 2] that meet every small query, key and value."""
    return softmax(attention_scores(_SMALL[:, None], _SMALL[None], 1.0)), _SMALL[None]


def _attention_cases() -> list[Case]:
    good, mixed = _scores(_Q, _K, 0.25), _mixed(_WEIGHTS, _V)
    return [
        Case(
            "attention-kernel-v1",
            "scores",
            good,
            {
                "shape(x)[-1] == shape(keys)[-1]": {"keys": _K[..., :8]},
                "shape(x)[1] % shape(keys)[0] == 0": {"keys": normal(3, 10, 16)},
                "scale > 0": {"scale": -0.25},
                "all(isfinite(x)) and all(isfinite(keys))": {"keys": planted(_K, (1, 9), np.nan)},
                "Scores are numbers or -inf": {"ret": planted(_SCORES, (3, 2, 1), np.nan)},
                "Scores obey Cauchy-Schwarz": {"ret": _SCORES / np.float32(0.25**3)},
            },
            _scores(_SMALL[:, None], _SMALL[None], 0.5),
            3,
        ),
        Case(
            "attention-kernel-v1",
            "output",
            mixed,
            {
                "all(isfinite(values))": {"values": planted(_V, (1, 3, 0), np.nan)},
                # The normaliser of a row was not applied.
                "Output is a convex combination of values": {
                    "ret": _mixed(_WEIGHTS * np.float32(12), _V)["ret"]
                },
            },
            _mixed(*_small_attention()),
            3,
        ),
    ]


def _gqa_cases() -> list[Case]:
    heads, kv_heads, query_head = whole(3, 6)
    fits = (heads % kv_heads == 0) & (query_head < heads)
    heads, kv_heads, query_head = heads[fits], kv_heads[fits], query_head[fits]
    grouped = _grouped(_Q, _K, _V)
    interleaved = attention_output(
        softmax(attention_scores(_Q, np.tile(_K, (2, 1, 1)), 0.25)), np.tile(_V, (2, 1, 1))
    )
    mapping = {"query_head": np.arange(9), "heads": 9, "kv_heads": 3, "kv_head": np.arange(9) // 3}
    return [
        Case(
            "gqa-kernel-v1",
            "grouping",
            {"heads": 9, "kv_heads": 3, "group_size": 3},
            {
                "heads >= kv_heads": {"kv_heads": 18},
                "kv_heads >= 1": {"kv_heads": 0},
                "Groups cover all query heads": {"kv_heads": 4, "group_size": 2},
            },
            {"heads": heads, "kv_heads": kv_heads, "group_size": heads // kv_heads},
            6,
        ),
        Case(
            "gqa-kernel-v1",
            "head_mapping",
            mapping,
            {
                "0 <= query_head < heads": {"query_head": np.arange(1, 10)},
                "heads % kv_heads == 0": {"kv_heads": 2},
                "Neighbouring query heads share a key head": {"kv_head": np.arange(9) % 3},
            },
            {
                "query_head": query_head,
                "heads": heads,
                "kv_heads": kv_heads,
                "kv_head": [
                    int(q / (h / k)) for q, h, k in zip(query_head, heads, kv_heads, strict=True)
                ],
            },  # fmt: skip
            6,
        ),
        Case(
            "gqa-kernel-v1",
            "equivalence",
            grouped,
            {
                "shape(ret) == shape(reference)": {"reference": grouped["reference"][:3]},
                "Equals attention with repeated heads": {"ret": interleaved},
            },
            _grouped(
                np.stack([_SMALL] * 4, axis=1), np.stack([_SMALL] * 2), np.stack([_SMALL] * 2)
            ),
            3,
        ),
    ]


def _grouped(x: Array, keys: Array, values: Array) -> Fields:
    """Attention group by group, and with every key and value head repeated."""
    size = x.shape[1] // keys.shape[0]
    groups = [
        attention_output(
            softmax(attention_scores(x[:, g * size : (g + 1) * size], keys[g : g + 1], 0.25)),
            values[g : g + 1],
        )
        for g in range(keys.shape[0])
    ]
    return {
        "ret": np.concatenate(groups, axis=-1),
        "reference": attention_output(softmax(attention_scores(x, keys, 0.25)), values),
        "values": values,
    }


def _online(old: Array, block: Array) -> Fields:
    """Statistics of two tiles of scores, and of both together."""
    both = np.concatenate([old, block], axis=-1)
    fields: Fields = {}
    for name, tile in (("old", old), ("block", block), ("new", both)):
        top = tile.max(axis=-1) if tile.size else np.full(len(tile), -np.inf, np.float32)
        fields[f"m_{name}"] = top
        fields[f"l_{name}"] = np.exp(tile - top[..., None]).sum(axis=-1)
    return fields


def _flash_cases() -> list[Case]:
    scores = normal(8, 32, scale=4)
    online = _online(scores[:, :16], scores[:, 16:])
    unscaled = online["l_old"] + online["l_block"]
    lse = {"lse": log_sum_exp(scores), "score_max": scores.max(axis=-1), "keys": 32}
    small = grid(4)
    small_weights, small_values = _small_attention()
    fused = {"ret": _tiled(_SCORES, _V), "reference": attention_output(_WEIGHTS, _V), "values": _V}
    return [
        Case(
            "flash-attention-v1",
            "online_update",
            online,
            {
                "l_old >= 0": {"l_old": -online["l_old"]},
                "m_block > -inf": {"m_block": np.full(8, -np.inf)},
                "l_block >= 1 - tol": {"l_block": online["l_block"] * 0 + np.float32(0.5)},
                "Running maximum is exact": {"m_new": online["m_block"]},
                "Normaliser is rescaled with the maximum": {"l_new": unscaled},
                "Normaliser is at least 1": {"l_new": online["l_new"] / 32},
            },
            _online(small[:, :2], small[:, 2:]),
        ),
        Case(
            "flash-attention-v1",
            "log_sum_exp",
            lse,
            {
                "keys >= 1": {"keys": 0},
                "all(isfinite(score_max))": {"score_max": np.full(8, -np.inf)},
                "Log-sum-exp is at least the largest score": {
                    "lse": log_sum_exp(scores - np.float32(8))
                },
                # Thirty-two padding keys entered with the row's largest score.
                "Log-sum-exp exceeds the largest score by at most log(keys)": {
                    "lse": lse["score_max"] + np.log(64)
                },
            },
            {"lse": log_sum_exp(small), "score_max": small.max(axis=-1), "keys": 4},
        ),
        Case(
            "flash-attention-v1",
            "output",
            fused,
            {
                "shape(ret) == shape(reference)": {"ret": fused["ret"].reshape(6, 4, 16)},
                "Equals unfused attention": {
                    "ret": attention_output(softmax(_SCORES[..., :9]), _V[:, :9])
                },
            },
            {
                "ret": _tiled(attention_scores(_SMALL[:, None], _SMALL[None], 1.0), small_values),
                "reference": attention_output(small_weights, small_values),
                "values": small_values,
            },
            3,
        ),
    ]


def _tiled(scores: Array, values: Array, width: int = 4) -> Array:
    """Attention over tiles of keys with a running maximum, as fused kernels compute it."""
    heads, queries, keys = scores.shape
    shared = np.repeat(values, heads // values.shape[0], axis=0)
    top = np.full((heads, queries, 1), -np.inf, np.float32)
    total = np.zeros((heads, queries, 1), np.float32)
    mixed = np.zeros((heads, queries, values.shape[-1]), np.float32)
    for start in range(0, keys, width):
        tile = scores[..., start : start + width]
        raised = np.maximum(top, tile.max(axis=-1, keepdims=True))
        shrink, weights = np.exp(top - raised), np.exp(tile - raised)
        total = total * shrink + weights.sum(axis=-1, keepdims=True)
        mixed = mixed * shrink + weights @ shared[:, start : start + width]
        top = raised
    return (mixed / total).transpose(1, 0, 2).reshape(queries, -1)


def _windowed(scores: Array, window: int) -> Fields:
    distance = causal_distance(*scores.shape[-2:])
    masked = np.where((distance < 0) | (distance >= window), -np.inf, scores)
    return {"ret": softmax(masked), "distance": distance, "window": window}


def _window_cases() -> list[Case]:
    scores = rng().standard_normal((2, 12, 12)).astype(np.float32)
    good = _windowed(scores, 4)
    layers, window, seen = whole(3, 6)
    return [
        Case(
            "sliding-window-attention-v1",
            "mask",
            good,
            {
                "window >= 1": {"window": 0},
                "No weight beyond the window": {"ret": _windowed(scores, 5)["ret"]},
                "No weight on the future": {"ret": softmax(scores)},
            },
            _windowed(np.broadcast_to(grid(3)[:, None, :], (125, 3, 3)), 2),
        ),
        Case(
            "sliding-window-attention-v1",
            "receptive_field",
            {"layers": 30, "window": 512, "receptive_field": 30 * 511 + 1},
            {
                "layers >= 1": {"layers": 0},
                "Reach grows by window - 1 a layer": {"receptive_field": 32_768},
            },
            {
                "layers": layers,
                "window": window,
                "receptive_field": [
                    1 + sum([w - 1] * n) for n, w in zip(layers, window, strict=True)
                ],
            },  # fmt: skip
            6,
        ),
        Case(
            "sliding-window-attention-v1",
            "cached_positions",
            # transformers keeps window - 1 old positions.
            {"seen": 12, "window": 8, "used": 7},
            {
                "seen >= 0": {"seen": -1},
                "Cache holds at most the window": {"used": 12},
                "Cache keeps what the next query needs": {"used": 4},
            },
            {"seen": seen, "window": window, "used": np.minimum(seen, window)},
            6,
        ),
    ]


CASES = [*_attention_cases(), *_gqa_cases(), *_flash_cases(), *_window_cases()]
