"""rmsnorm-kernel-v1, layernorm-kernel-v1, qk-norm-v1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from library_examples.case import Case, Fields, normal, planted, rng, rows, scaled

from tracepact.kernels.attention import attention_scores, normalised_scores
from tracepact.kernels.norms import layer_norm, normalise, qk_norm, rms_norm
from tracepact.types import Array

_EPS = 1e-5
_WIDE = (-1e4, -1, 0, 1e-3, 2)
_WIDE_TEXT = "out of -1e4, -1, 0, 1e-3 and 2"


def _weight(size: int) -> Array:
    return (0.2 + rng().random(size)).astype(np.float32)


def _rms(x: Array, weight: Array) -> Fields:
    return {"x": x, "weight": weight, "eps": _EPS, "ret": rms_norm(x, weight, _EPS)}


def _every_rms() -> list[Fields]:
    return [_rms(rows(3, *_WIDE), weight) for weight in rows(3, *_WIDE)]


def _rms_cases() -> list[Case]:
    # One channel as large as healthy models have them, and a row of zeros (padding).
    x = planted(planted(normal(6, 64, scale=3), (1, 9), 22_500.0), 5, 0.0)
    good = _rms(x, _weight(64))
    return [
        Case(
            "rmsnorm-kernel-v1",
            "rmsnorm",
            good,
            {
                "all(isfinite(x))": {"x": planted(x, (0, 0), np.nan)},
                "eps > 0": {"eps": 0.0},
                "shape(x)[-1] == len(weight)": {"weight": good["weight"][:32]},
                "Output is finite": {"ret": planted(good["ret"], (3, 3), -np.inf)},
                "Norm of the output is fixed by the input": {"ret": scaled(good["ret"], 2)},
                "Direction of x * weight is kept": {"ret": good["ret"][:, ::-1]},
            },
            _every_rms,
            5,
            f"rows of 3 and their weights, each {_WIDE_TEXT}; eps 1e-5",
        )
    ]


def _layer(x: Array, weight: Array, bias: Array) -> Fields:
    return {
        "x": x, "weight": weight, "bias": bias, "eps": _EPS,
        "ret": layer_norm(x, weight, bias, _EPS),
    }  # fmt: skip


def _normalised(x: Array) -> Fields:
    return {"x": x, "eps": _EPS, "ret": normalise(x, _EPS)}


def _every_layer() -> Iterator[Fields]:
    values = (-1e4, 0, 2)
    for weight, bias in product(rows(2, *values), repeat=2):
        yield _layer(rows(2, *values), weight, bias)


def _layer_cases() -> list[Case]:
    x = planted(normal(6, 64, scale=3) + np.float32(5), 5, 2.0)
    weight, bias = _weight(64), normal(64, scale=10)
    good, plain = _layer(x, weight, bias), _normalised(x)
    variance = x.astype(np.float64).var(axis=-1, keepdims=True)
    return [
        Case(
            "layernorm-kernel-v1",
            "normalise",
            plain,
            {
                "all(isfinite(x))": {"x": planted(x, (1, 0), np.inf)},
                "eps > 0": {"eps": -1e-5},
                "Rows have mean 0": {"ret": rms_norm(x, np.ones(64, np.float32), _EPS)},
                "Rows have unit variance up to eps": {
                    "ret": (x - x.mean(axis=-1, keepdims=True)) / (variance + _EPS)
                },
            },
            lambda: [_normalised(rows(4, *_WIDE))],
            5,
            f"rows of 4 {_WIDE_TEXT}; eps 1e-5",
        ),
        Case(
            "layernorm-kernel-v1",
            "layernorm",
            good,
            {
                "shape(x)[-1] == len(weight)": {"weight": weight[1:], "bias": bias[1:]},
                "len(weight) == len(bias)": {"bias": bias[:63]},
                "Output is finite": {"ret": planted(good["ret"], (0, 63), np.nan)},
                "Weighted row sum is fixed by the input": {"ret": rms_norm(x, weight, _EPS) + bias},
                "Norm is at most sqrt(d) times the largest weight": {
                    "ret": (x - x.mean(axis=-1, keepdims=True)) * weight + bias
                },
            },
            _every_layer,
            3,
            "rows of 2, their weights and biases, each out of -1e4, 0 and 2; eps 1e-5",
        ),
    ]


def _scores(x: Array, keys: Array, q: Array, k: Array) -> Fields:
    scale = x.shape[-1] ** -0.5
    return {
        "ret": normalised_scores(x, keys, q, k, _EPS, scale),
        "scale": scale,
        "head_dim": x.shape[-1],
        "q_weight": q,
        "k_weight": k,
    }


_SIGNS = (-1, 0, 2)


def _every_head_norm() -> Iterator[Fields]:
    heads = rows(3, *_SIGNS)
    for weight in rows(3, *_SIGNS):
        ret = qk_norm(heads[:, None], weight, _EPS)
        yield {"x": heads[:, None], "weight": weight, "eps": _EPS, "ret": ret}


def _every_normalised_score() -> Iterator[Fields]:
    # One query position with a head for each query: it sees every key.
    heads = rows(2, *_SIGNS)
    for q_weight, k_weight in product(rows(2, *_SIGNS), repeat=2):
        yield _scores(heads[None], heads[None], q_weight, k_weight)


def _qk_cases() -> list[Case]:
    x, keys = normal(5, 4, 16, scale=20), normal(2, 9, 16, scale=20)
    weight = _weight(16)
    good = _rms(x, weight)
    whole_projection = rms_norm(
        (x * np.array([1, 1, 1, 5], np.float32)[:, None]).reshape(5, 64), np.tile(weight, 4), _EPS
    ).reshape(5, 4, 16)
    scores = _scores(x, keys, weight, weight[::-1])
    return [
        Case(
            "qk-norm-v1",
            "qk_norm",
            good,
            {
                "all(isfinite(x))": {"x": planted(x, (0, 0, 0), np.nan)},
                "eps > 0": {"eps": 0.0},
                "shape(x)[-1] == len(weight)": {"weight": np.tile(weight, 4)},
                "Norm of each head is fixed by the input": {"ret": whole_projection},
                "Heads are no longer than sqrt(hd) times the largest weight": {
                    "ret": planted(good["ret"], (2, 1), x[2, 1])
                },
            },
            _every_head_norm,
            3,
            "heads of 3 channels and their weights, each out of -1, 0 and 2; eps 1e-5",
        ),
        Case(
            "qk-norm-v1",
            "logit_bound",
            scores,
            {
                "scale > 0": {"scale": 0.0},
                "head_dim == len(q_weight)": {"head_dim": 64},
                "Scores are bounded by the weights": {
                    "ret": attention_scores(x, rms_norm(keys, weight, _EPS), 0.25)
                },
            },
            _every_normalised_score,
            3,
            "queries, keys and both weights of 2 channels, each out of -1, 0 and 2; eps 1e-5",
        ),
    ]


CASES = [*_rms_cases(), *_layer_cases(), *_qk_cases()]
