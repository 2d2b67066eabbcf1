"""activation-kernel-v1, bias-add-v1, rope-kernel-v1."""

from __future__ import annotations

import math

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, scaled, whole
from library_examples.kernels import gelu_tanh, rotate, rotation_table, sigmoid, silu

from tracepact.types import Array

_X = normal(5, 40, scale=3)
_SMALL = grid(2, 9)


def _gated(gate: Array, up: Array) -> Fields:
    return {"gate": gate, "up": up, "ret": silu(gate) * up}


def _gelu_exact(x: Array) -> Array:
    upper = [0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel().tolist()]
    return (x * np.reshape(upper, x.shape)).astype(np.float32)


def _activation_cases() -> list[Case]:
    # Residual streams of healthy models are as large as this in single channels.
    stream = planted(_X, (slice(None), 7), 22_500.0)
    gated = _gated(_X, normal(5, 40, scale=30)[::-1])
    relu = np.maximum(_X, 0)
    return [
        Case(
            "activation-kernel-v1",
            "finite",
            {"ret": stream},
            {"Activations are finite": {"ret": planted(stream, (4, 39), np.inf)}},
            {"ret": _SMALL},
            9,
        ),
        Case(
            "activation-kernel-v1",
            "relu",
            {"x": _X, "ret": relu},
            {
                "not any(isnan(x))": {"x": planted(_X, (0, 3), np.nan)},
                "Rectifier is exact": {"ret": np.where(_X < 0, np.float32(0.01) * _X, _X)},
            },
            {"x": _SMALL, "ret": np.maximum(_SMALL, 0)},
            9,
        ),
        Case(
            "activation-kernel-v1",
            "gelu",
            {"x": _X, "ret": _gelu_exact(_X)},
            {
                "all(isfinite(x))": {"x": planted(_X, (1, 1), -np.inf)},
                "Stays within 0.1701 below the rectifier": {"ret": sigmoid(_X)},
                "Exact or tanh form": {"ret": _X * sigmoid(np.float32(1.702) * _X)},
            },
            {"x": _SMALL, "ret": gelu_tanh(_SMALL)},
            9,
        ),
        Case(
            "activation-kernel-v1",
            "silu",
            {"x": _X, "ret": silu(_X)},
            {
                "all(isfinite(x))": {"x": planted(_X, (1, 1), np.nan)},
                "Product of x and its sigmoid": {"ret": _X * sigmoid(-_X)},
            },
            {"x": _SMALL, "ret": silu(_SMALL)},
            9,
        ),
        Case(
            "activation-kernel-v1",
            "swiglu",
            gated,
            {
                "shape(gate) == shape(up)": {"up": gated["up"][:, :20]},
                "all(isfinite(gate * up))": {"up": planted(gated["up"], (2, 2), np.nan)},
                "Gated product of silu(gate) and up": {"ret": scaled(gated["ret"], (3, 11))},
            },
            _gated(_SMALL[:, :1], _SMALL[:, 1:]),
            9,
        ),
    ]


def _bias_cases() -> list[Case]:
    bias = normal(40)[::-1].copy()
    good = {"x": _X, "bias": bias, "ret": _X + bias}
    return [
        Case(
            "bias-add-v1",
            "bias_add",
            good,
            {
                "shape(x)[-1] == len(bias)": {"bias": bias[:39]},
                "all(isfinite(bias))": {"bias": planted(bias, 0, np.inf)},
                "Shape is kept": {"ret": good["ret"].T},
                "Every element is x + bias": {
                    "ret": planted(good["ret"], (2, slice(32, None)), _X[2, 32:])
                },
            },
            {
                "x": _SMALL,
                "bias": np.array([2, -3], np.float32),
                "ret": _SMALL + np.array([2, -3], np.float32),
            },
            9,
        )
    ]


def _rope(x: Array, positions: Array) -> Fields:
    cos, sin = rotation_table(positions, x.shape[-1] // 2)
    return {"x": x, "cos": cos, "sin": sin, "ret": rotate(x, cos, sin)}


def _relative(q: Array, k: Array, m: Array, n: Array, shift: int) -> Fields:
    def score(a: Array, b: Array) -> Array:
        rotated = [
            rotate(v[:, None, :], *rotation_table(at, v.shape[-1] // 2))[:, 0]
            for v, at in ((q, a), (k, b))
        ]
        return np.einsum("td,td->t", *rotated)

    return {
        "score": score(m, n),
        "shifted_score": score(m + shift, n + shift),
        "q_norm": np.linalg.norm(q, axis=-1),
        "k_norm": np.linalg.norm(k, axis=-1),
    }


def _rope_cases() -> list[Case]:
    good = _rope(normal(6, 3, 16, scale=8), np.arange(4_000, 4_006))
    half = good["ret"].copy()
    # The second half of each pair was computed from the first one's new value.
    c, s = good["cos"][:, None, :], good["sin"][:, None, :]
    half[..., 8:] = half[..., :8] * s + good["x"][..., 8:] * c
    q, k = normal(6, 16), normal(12, 16)[6:]
    m, n = np.arange(10, 16), np.arange(6)
    relative = _relative(q, k, m, n, 100)
    small, (at, _) = grid(4, 3), whole(2, 9)
    pairs = np.tile(small, (len(at) // len(small) + 1, 1))[: len(at)]
    return [
        Case(
            "rope-kernel-v1",
            "rope",
            good,
            {
                "shape(x)[-1] == 2 * shape(cos)[-1]": {"cos": good["cos"][:, :4]},
                "shape(cos) == shape(sin)": {"sin": good["sin"][:3]},
                "abs(cos * cos + sin * sin - 1) <= 4 * tol": {"cos": good["cos"] * 1.1},
                "Rotation keeps the norm": {"ret": half},
            },
            _rope(small[:, None, :], np.arange(len(small))),
            3,
        ),
        Case(
            "rope-kernel-v1",
            "relative_position",
            relative,
            {
                "abs(score) <= q_norm * k_norm * (1 + 4 * tol)": {
                    "q_norm": relative["q_norm"] / 50
                },
                "Scores depend on the distance alone": {
                    "shifted_score": _relative(q, k, m + 1, n, 100)["shifted_score"]
                },
            },
            _relative(pairs, pairs[::-1], at, at[::-1], 5),
            9,
        ),
    ]


CASES = [*_activation_cases(), *_bias_cases(), *_rope_cases()]
