"""attention-kernel-v1, gqa-kernel-v1, flash-attention-v1, sliding-window-attention-v1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from library_examples.case import Case, Fields, normal, planted, rng, rows, whole

from tracepact.kernels.attention import (
    attention,
    attention_output,
    attention_scores,
    causal_distance,
    group_size,
    kv_head,
)
from tracepact.kernels.fused_attention import (
    cached_positions,
    online_update,
    receptive_field,
    tiled_attention,
    window_attention,
    window_weights,
)
from tracepact.kernels.softmaxes import log_sum_exp, softmax
from tracepact.types import Array

_Q, _K, _V = normal(6, 4, 16), normal(2, 10, 16), normal(10, 2, 16).transpose(1, 0, 2)
_SCORES = attention_scores(_Q, _K, 0.25)
_WEIGHTS = softmax(_SCORES)
_SIGNS = (-1, 0, 2)


def _scores(x: Array, keys: Array, scale: float) -> Fields:
    return {"x": x, "keys": keys, "scale": scale, "ret": attention_scores(x, keys, scale)}


def _mixed(weights: Array, values: Array) -> Fields:
    return {"values": values, "ret": attention_output(weights, values)}


def _every_score() -> list[Fields]:
    # One query position with a head for each query: it sees every key.
    heads = rows(2, -1e4, -1, 0, 2, 1e4)
    return [_scores(heads[None], heads[None], scale) for scale in (0.5, 1.0)]


def _masked(x: Array, keys: Array) -> Fields:
    return {
        "ret": attention_scores(x, keys, 0.25),
        "distance": causal_distance(x.shape[0], keys.shape[1]),
    }


def _every_mask() -> Iterator[Fields]:
    for queries in range(1, 6):
        for keys in range(queries, 6):
            yield _masked(normal(queries, 2, 4), normal(1, keys, 4))


def _every_mixture() -> Iterator[Fields]:
    weights = rows(3, 0, 1, 2)[1:]
    weights = (weights / weights.sum(axis=-1, keepdims=True))[:, None]
    for values in rows(3, -1, 0, 2):
        yield _mixed(weights, values[None, :, None])


def _attention_cases() -> list[Case]:
    good, mixed = _scores(_Q, _K, 0.25), _mixed(_WEIGHTS, _V)
    unmasked = 0.25 * np.einsum("thd,hsd->hts", _Q, np.repeat(_K, 2, axis=0))
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
            _every_score,
            5,
            "queries and keys of 2 channels out of +-1e4, -1, 0 and 2, at two scales",
        ),
        Case(
            "attention-kernel-v1",
            "causal_mask",
            _masked(_Q, _K),
            {
                "shape(ret)[-1] == shape(distance)[-1]": {"distance": causal_distance(6, 9)},
                "No score for a key after its query": {
                    "ret": np.where(causal_distance(6, 10) < -1, -np.inf, unmasked)
                },
                "A score for every key up to the query": {
                    "ret": np.where(causal_distance(6, 10) < 1, -np.inf, unmasked)
                },
            },
            _every_mask,
            5,
            "from 1 to 5 queries at the end of up to 5 keys; the mask does not read the scores",
        ),
        Case(
            "attention-kernel-v1",
            "output",
            mixed,
            {
                "all(isfinite(values))": {"values": planted(_V, (1, 3, 0), np.nan)},
                # The normaliser of a row was not applied.
                "Output is a convex combination of values": {"ret": mixed["ret"] * np.float32(12)},
            },
            _every_mixture,
            3,
            "weights of 3 keys in proportions out of 0, 1 and 2, and values out of -1, 0 and 2",
        ),
    ]


def _gqa_cases() -> list[Case]:
    heads, kv_heads, query_head = whole(3, 6)
    query_head -= 1
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
                "heads % kv_heads == 0": {"kv_heads": 4},
                "Groups cover all query heads": {"kv_heads": 4, "group_size": 2},
            },
            lambda: [
                {"heads": heads, "kv_heads": kv_heads, "group_size": group_size(heads, kv_heads)}
            ],
            6,
            "up to 6 heads in groups of one size",
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
            lambda: [
                {
                    "query_head": query_head,
                    "heads": heads,
                    "kv_heads": kv_heads,
                    "kv_head": kv_head(query_head, heads, kv_heads),
                }
            ],
            6,
            "every head of up to 6 in groups of one size",
        ),
        Case(
            "gqa-kernel-v1",
            "equivalence",
            grouped,
            {
                "shape(ret) == shape(reference)": {"reference": grouped["reference"][:3]},
                "Equals attention with repeated heads": {"ret": interleaved},
            },
            _every_group,
            2,
            "4 query heads, and 2 heads of 2 keys and values, of one channel out of -1 and 2",
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
        "ret": attention(x, keys, values, 0.25),
        "reference": np.concatenate(groups, axis=-1),
        "values": values,
    }


def _every_group() -> Iterator[Fields]:
    for keys, values in product(rows(4, -1, 2), repeat=2):
        for queries in rows(4, -1, 2):
            shaped = (part.reshape(2, 2, 1) for part in (keys, values))
            yield _grouped(queries.reshape(1, 4, 1), *shaped)


def _online(old: Array, block: Array) -> Fields:
    """Statistics of two tiles of scores, the first of which may be masked, and of both."""
    fields: Fields = {}
    for name, tile in (("old", old), ("block", block)):
        top = tile.max(axis=-1)
        shifted = np.where(np.isinf(top), -np.inf, tile.T - np.where(np.isinf(top), 0, top)).T
        fields |= {f"m_{name}": top, f"l_{name}": np.exp(shifted).sum(axis=-1)}
    fields |= {name: np.empty(len(old), np.float32) for name in ("m_new", "l_new")}
    online_update(**fields)
    return fields


def _every_update() -> list[Fields]:
    tiles = rows(2, -np.inf, -1e30, 0, 1, 80)
    blocks = tiles[np.isfinite(tiles).any(axis=-1)]
    old, block = (part.ravel() for part in np.indices((len(tiles), len(blocks))))
    return [_online(tiles[old], blocks[block])]


def _every_log_sum() -> list[Fields]:
    scores = rows(4, -np.inf, -1e30, 0, 1, 1e30)
    scores = scores[np.isfinite(scores).any(axis=-1)]
    return [{"lse": log_sum_exp(scores), "score_max": scores.max(axis=-1), "keys": 4}]


def _fused(x: Array, keys: Array, values: Array, tile: int) -> Fields:
    return {
        "ret": tiled_attention(x, keys, values, 0.25, tile),
        "reference": attention(x, keys, values, 0.25),
        "values": values,
    }


def _every_tiling() -> Iterator[Fields]:
    # One query position with a head for each query: it sees every key.
    queries = rows(1, *_SIGNS)[None]
    for keys, values in product(rows(3, *_SIGNS), repeat=2):
        for tile in (1, 2):
            yield _fused(queries, keys[None, :, None], values[None, :, None], tile)


def _flash_cases() -> list[Case]:
    scores = normal(8, 32, scale=4)
    online = _online(scores[:, :16], scores[:, 16:])
    unscaled = online["l_old"] + online["l_block"]
    lse = {"lse": log_sum_exp(scores), "score_max": scores.max(axis=-1), "keys": 32}
    fused = _fused(_Q, _K, _V, 4)
    return [
        Case(
            "flash-attention-v1",
            "online_update",
            online,
            {
                "l_old >= 0": {"l_old": -online["l_old"]},
                "where(m_old == -inf, 1, l_old) >= 1 - tol": {"l_old": online["l_old"] / 32},
                "m_block > -inf": {"m_block": np.full(8, -np.inf)},
                "l_block >= 1 - tol": {"l_block": online["l_block"] * 0 + np.float32(0.5)},
                "Running maximum is exact": {"m_new": online["m_block"]},
                "Normaliser is rescaled with the maximum": {"l_new": unscaled},
                "Normaliser is at least 1": {"l_new": online["l_new"] / 32},
            },
            _every_update,
            5,
            "two tiles of 2 scores out of -inf, -1e30, 0, 1 and 80; the first may be masked",
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
            _every_log_sum,
            5,
            "every row of 4 out of -inf, -1e30, 0, 1 and 1e30 that is not masked entirely",
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
            _every_tiling,
            3,
            "a query, 3 keys and 3 values of one channel out of -1, 0 and 2, in tiles of 1 and 2",
        ),
    ]


def _windowed(scores: Array, window: int) -> Fields:
    distance = causal_distance(*scores.shape[-2:])
    weights = window_weights(scores, distance, window)
    return {"ret": weights, "distance": distance, "window": window}


def _every_window() -> Iterator[Fields]:
    # Rows do not depend on each other: each stands at each of three positions.
    scores = np.repeat(rows(3, -1e30, 0, 1)[:, None], 3, axis=1)
    for window in (1, 2, 3):
        yield _windowed(scores, window)


def _near(x: Array, keys: Array, values: Array, window: int) -> Fields:
    """Attention over a window, and with the window as a mask over all keys."""
    weights = _windowed(attention_scores(x, keys, 0.25), window)["ret"]
    return {
        "ret": window_attention(x, keys, values, 0.25, window),
        "reference": attention_output(weights, values),
        "values": values,
    }


def _every_near() -> Iterator[Fields]:
    for keys, values in product(rows(3, *_SIGNS), repeat=2):
        for window in (1, 2, 3):
            queries = rows(1, *_SIGNS)[None].repeat(2, axis=0)
            yield _near(queries, keys[None, :, None], values[None, :, None], window)


def _window_cases() -> list[Case]:
    scores = rng().standard_normal((2, 12, 12)).astype(np.float32)
    good = _windowed(scores, 4)
    layers, window, seen = whole(3, 6)
    seen -= 1
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
            _every_window,
            3,
            "scores of 3 keys out of -1e30, 0 and 1 at each of 3 positions, windows of 1 to 3",
        ),
        Case(
            "sliding-window-attention-v1",
            "output",
            _near(_Q, _K, _V, 4),
            {
                "shape(ret) == shape(reference)": {"reference": _near(_Q, _K, _V, 4)["ret"][1:]},
                "Equals attention with the window as a mask": {
                    "ret": window_attention(_Q, _K, _V, 0.25, 3)
                },
            },
            _every_near,
            3,
            "a query at the last 2 of 3 positions, keys and values, out of -1, 0 and 2; "
            "windows of 1 to 3",
        ),
        Case(
            "sliding-window-attention-v1",
            "receptive_field",
            {"layers": 30, "window": 512, "receptive_field": 30 * 511 + 1},
            {
                "layers >= 1": {"layers": 0},
                "Reach grows by window - 1 a layer": {"receptive_field": 32_768},
            },
            lambda: [
                {
                    "layers": layers,
                    "window": window,
                    "receptive_field": receptive_field(layers, window),
                }
            ],
            6,
            "up to 6 layers with windows of up to 6",
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
            lambda: [{"seen": seen, "window": window, "used": cached_positions(seen, window)}],
            6,
            "from 0 to 5 tokens and windows of up to 6",
        ),
    ]


CASES = [*_attention_cases(), *_gqa_cases(), *_flash_cases(), *_window_cases()]
