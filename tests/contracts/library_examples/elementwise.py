"""activation-kernel-v1, bias-add-v1, rope-kernel-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, every_float16, normal, planted, rows, scaled

from tracepact.kernels.activations import gelu, gelu_tanh, relu, silu, swiglu
from tracepact.kernels.projections import bias_add
from tracepact.kernels.rope import rope_half, rope_interleaved, rotated_score, rotation_table
from tracepact.types import Array

_X = normal(5, 40, scale=3)
_EVERY = every_float16()
_FINITE = _EVERY[np.isfinite(_EVERY)]
_EDGES = (-65_504, -88, -1, -(2.0**-24), 0, 2.0**-24, 1, 88, 65_504)
_EDGES_TEXT = "+-65504, +-88, +-1, +-2^-24 and 0"


def _gated(gate: Array, up: Array) -> Fields:
    return {"gate": gate, "up": up, "ret": swiglu(gate, up)}


def _pairs() -> tuple[Array, Array]:
    """Every pair of edges, as two columns [81, 1]."""
    first, second = rows(2, *_EDGES).T
    return first[:, None], second[:, None]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _activation_cases() -> list[Case]:
    # Residual streams of healthy models are as large as this in single channels.
    stream = planted(_X, (slice(None), 7), 22_500.0)
    gated = _gated(_X, normal(5, 40, scale=30)[::-1])
    return [
        Case(
            "activation-kernel-v1",
            "finite",
            {"ret": stream},
            {"Activations are finite": {"ret": planted(stream, (4, 39), np.inf)}},
            lambda: [{"ret": silu(_FINITE)}],
            1 << 16,
            "silu of every finite float16",
        ),
        Case(
            "activation-kernel-v1",
            "relu",
            {"x": _X, "ret": relu(_X)},
            {
                "not any(isnan(x))": {"x": planted(_X, (0, 3), np.nan)},
                "Rectifier is exact": {"ret": np.where(_X < 0, np.float32(0.01) * _X, _X)},
            },
            lambda: [{"x": _EVERY, "ret": relu(_EVERY)}],
            1 << 16,
            "every float16 that is no NaN",
        ),
        Case(
            "activation-kernel-v1",
            "gelu",
            {"x": _X, "ret": gelu(_X)},
            {
                "all(isfinite(x))": {"x": planted(_X, (1, 1), -np.inf)},
                "Stays within 0.1701 below the rectifier": {"ret": _sigmoid(_X)},
                "Exact or tanh form": {"ret": _X * _sigmoid(np.float32(1.702) * _X)},
            },
            lambda: [{"x": _FINITE, "ret": form(_FINITE)} for form in (gelu, gelu_tanh)],
            1 << 16,
            "every finite float16, in the exact and in the tanh form",
        ),
        Case(
            "activation-kernel-v1",
            "silu",
            {"x": _X, "ret": silu(_X)},
            {
                "all(isfinite(x))": {"x": planted(_X, (1, 1), np.nan)},
                "Product of x and its sigmoid": {"ret": _X * _sigmoid(-_X)},
            },
            lambda: [{"x": _FINITE, "ret": silu(_FINITE)}],
            1 << 16,
            "every finite float16",
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
            lambda: [_gated(*_pairs())],
            9,
            f"gate and up each {_EDGES_TEXT}",
        ),
    ]


def _every_bias() -> list[Fields]:
    x, bias = rows(2, *_EDGES).T
    return [{"x": x[None], "bias": bias, "ret": bias_add(x[None], bias)}]


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
            _every_bias,
            9,
            f"an element and its bias each {_EDGES_TEXT}",
        )
    ]


def _rope(x: Array, positions: Array) -> Fields:
    cos, sin = rotation_table(positions, x.shape[-1] // 2)
    return {"x": x, "cos": cos, "sin": sin, "ret": rope_half(x, cos, sin)}


def _relative(q: Array, k: Array, m: Array, n: Array, shift: int) -> Fields:
    return {
        "score": rotated_score(q, k, m, n),
        "shifted_score": rotated_score(q, k, m + shift, n + shift),
        "q_norm": np.linalg.norm(q, axis=-1),
        "k_norm": np.linalg.norm(k, axis=-1),
    }


_POSITIONS = np.array([0, 1, 8_191])
_TURNED = "heads of 4 channels out of -1, 0 and 2, at positions 0, 1 and 8191"


def _every_head() -> Fields:
    """Every small head at every position, with its table."""
    heads = rows(4, -1, 0, 2)
    cos, sin = rotation_table(_POSITIONS, 2)
    return {"x": np.broadcast_to(heads, (3, *heads.shape)), "cos": cos, "sin": sin}


def _every_rotation() -> list[Fields]:
    fields = _every_head()
    return [fields | {"ret": kernel(**fields)} for kernel in (rope_half, rope_interleaved)]


def _paired(fields: Fields, interleaved: bool) -> Fields:
    """A kernel's result, and as reference the same by products of complex numbers."""
    x, turn = fields["x"], (fields["cos"] + 1j * fields["sin"])[:, None, :]
    half = x.shape[-1] // 2
    real, imaginary = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    product = (real + 1j * imaginary) * turn
    if interleaved:
        joined = np.stack([product.real, product.imag], axis=-1).reshape(x.shape)
    else:
        joined = np.concatenate([product.real, product.imag], axis=-1)
    kernel = rope_interleaved if interleaved else rope_half
    return fields | {"ret": kernel(**fields), "reference": joined.astype(np.float32)}


def _every_score() -> list[Fields]:
    """Every pair of small heads at every pair of positions, moved by each of three shifts."""
    heads = rows(2, -1, 0, 2)
    q, k, m, n = (part.ravel() for part in np.indices((9, 9, 3, 3)))
    return [
        _relative(heads[q], heads[k], _POSITIONS[m], _POSITIONS[n], shift)
        for shift in (1, 7, 1_000)
    ]


def _rope_cases() -> list[Case]:
    good = _rope(normal(6, 3, 16, scale=8), np.arange(4_000, 4_006))
    half = good["ret"].copy()
    # The second half of each pair was computed from the first one's new value.
    c, s = good["cos"][:, None, :], good["sin"][:, None, :]
    half[..., 8:] = half[..., :8] * s + good["x"][..., 8:] * c
    given = {name: good[name] for name in ("x", "cos", "sin")}
    q, k = normal(6, 16), normal(12, 16)[6:]
    m, n = np.arange(10, 16), np.arange(6)
    relative = _relative(q, k, m, n, 100)
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
            _every_rotation,
            3,
            f"{_TURNED}, in both layouts of pairs",
        ),
        Case(
            "rope-kernel-v1",
            "half_split",
            _paired(given, interleaved=False),
            {
                "shape(x)[-1] == 2 * shape(cos)[-1]": {"cos": good["cos"][:, :4]},
                "Channel i turns with channel i + hd/2": {"ret": rope_interleaved(**given)},
            },
            lambda: [_paired(_every_head(), interleaved=False)],
            3,
            _TURNED,
        ),
        Case(
            "rope-kernel-v1",
            "interleaved",
            _paired(given, interleaved=True),
            {
                "shape(x)[-1] == 2 * shape(cos)[-1]": {"cos": good["cos"][:, :4]},
                "Channel 2i turns with channel 2i + 1": {"ret": rope_half(**given)},
            },
            lambda: [_paired(_every_head(), interleaved=True)],
            3,
            _TURNED,
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
            _every_score,
            3,
            "heads of 2 channels out of -1, 0 and 2, at positions 0, 1 and 8191, moved by "
            "1, 7 and 1000",
        ),
    ]


CASES = [*_activation_cases(), *_bias_cases(), *_rope_cases()]
