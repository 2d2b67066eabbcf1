"""Kernels that are broken in one place each, as they break in practice.

`MUTANTS` is what tests run: whatever claims to find faults has to find these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracepact.kernels.activations import gelu
from tracepact.kernels.attention import attention_output, attention_scores, causal_distance
from tracepact.kernels.precision import narrow, wide
from tracepact.kernels.rope import rope_half, rope_interleaved, rotation_table
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array

Fields = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A broken kernel, and a call of it.

    Attributes:
        contract: Stem of the contract that has to find the fault.
        equation: Name of the equation.
        function: The broken kernel; its parameters are those of the kernel.
        fault: What is wrong with it, in a few words.
        inputs: Makes arguments that the equation's preconditions allow.
    """

    contract: str
    equation: str
    function: Callable[..., Any]
    fault: str
    inputs: Callable[[], Fields]


def _normal(*shape: int) -> Array:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def softmax_without_max(x: Array, shifted: Array | None = None) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(x)
        ret: Array = powers / powers.sum(axis=-1, keepdims=True)
    return ret


def _large_rows() -> Fields:
    return {"x": np.concatenate([_normal(3, 8), np.float32(200) + _normal(1, 8)])}


def rms_norm_without_eps(x: Array, weight: Array, eps: float) -> Array:
    with np.errstate(invalid="ignore"):
        root = np.sqrt(np.square(wide(x)).mean(axis=-1, keepdims=True))
        return narrow(wide(x) / root * wide(weight), x, weight)


def _padded_rows() -> Fields:
    x = _normal(4, 16)
    x[2] = 0
    return {"x": x, "weight": 1 + np.abs(_normal(16)), "eps": 1e-5}


def rope_half_that_pairs_neighbours(
    x: Array, cos: Array, sin: Array, reference: Array | None = None
) -> Array:
    return rope_interleaved(x, cos, sin)


def rope_interleaved_that_pairs_halves(
    x: Array, cos: Array, sin: Array, reference: Array | None = None
) -> Array:
    return rope_half(x, cos, sin)


def _rotated() -> Fields:
    cos, sin = rotation_table(np.arange(3, 8), 4)
    return {"x": _normal(5, 2, 8), "cos": cos, "sin": sin}


def matmul_transposed(a: Array, b: Array) -> Array:
    return narrow(wide(a) @ wide(b).T, a, b)


def _square() -> Fields:
    return {"a": _normal(3, 6), "b": _normal(6, 6)}


def scores_that_see_the_next_key(
    x: Array, keys: Array, scale: float, distance: Array | None = None
) -> Array:
    if distance is None:
        distance = causal_distance(x.shape[0], keys.shape[1])
    return attention_scores(x, keys, scale, distance=distance + 1)


def scores_that_miss_their_own_key(
    x: Array, keys: Array, scale: float, distance: Array | None = None
) -> Array:
    if distance is None:
        distance = causal_distance(x.shape[0], keys.shape[1])
    return attention_scores(x, keys, scale, distance=distance - 1)


def _queries() -> Fields:
    x, keys = _normal(4, 2, 8), _normal(2, 6, 8)
    return {"x": x, "keys": keys, "scale": 0.35, "distance": causal_distance(4, 6)}


def attention_with_heads_in_turn(
    x: Array, keys: Array, values: Array, scale: float, reference: Array | None = None
) -> Array:
    turns = x.shape[1] // keys.shape[0]
    keys, values = np.tile(keys, (turns, 1, 1)), np.tile(values, (turns, 1, 1))
    return attention_output(softmax(attention_scores(x, keys, scale)), values)


def _grouped() -> Fields:
    keys, values = _normal(2, 2, 6, 8)
    return {"x": _normal(3, 4, 8), "keys": keys, "values": values, "scale": 0.35}


def gelu_for_silu(x: Array) -> Array:
    return gelu(x)


def geglu_for_swiglu(gate: Array, up: Array) -> Array:
    return narrow(gelu(wide(gate)) * wide(up), gate, up)


def append_a_position_late(
    x: Array, cache: Array, position: int, prefix: Array | None = None
) -> Array:
    cache[position + 1 : position + 1 + len(x)] = x
    return cache[position : position + len(x)]


def append_a_position_early(
    x: Array, cache: Array, position: int, prefix: Array | None = None
) -> Array:
    held = cache[position - 1 : position - 1 + len(x)]
    held[...] = x
    return held


def _cached() -> Fields:
    cache = np.zeros((8, 2, 4), np.float32)
    cache[:3] = _normal(3, 2, 4)
    return {"x": 1 + _normal(2, 2, 4), "cache": cache, "position": 3, "prefix": cache[:3]}


MUTANTS: dict[str, Mutant] = {
    mutant.function.__name__: mutant
    for mutant in (
        Mutant(
            "softmax-kernel-v1",
            "softmax",
            softmax_without_max,
            "softmax without subtracting the maximum",
            _large_rows,
        ),
        Mutant(
            "rmsnorm-kernel-v1",
            "rmsnorm",
            rms_norm_without_eps,
            "RMSNorm without epsilon",
            _padded_rows,
        ),
        Mutant(
            "rope-kernel-v1",
            "half_split",
            rope_half_that_pairs_neighbours,
            "RoPE that pairs neighbours in the place of halves",
            _rotated,
        ),
        Mutant(
            "rope-kernel-v1",
            "interleaved",
            rope_interleaved_that_pairs_halves,
            "RoPE that pairs halves in the place of neighbours",
            _rotated,
        ),
        Mutant(
            "matmul-kernel-v1",
            "checksum",
            matmul_transposed,
            "matmul with its second operand transposed",
            _square,
        ),
        Mutant(
            "attention-kernel-v1",
            "causal_mask",
            scores_that_see_the_next_key,
            "causal mask that lets the next key through",
            _queries,
        ),
        Mutant(
            "attention-kernel-v1",
            "causal_mask",
            scores_that_miss_their_own_key,
            "causal mask that hides the query's own key",
            _queries,
        ),
        Mutant(
            "gqa-kernel-v1",
            "equivalence",
            attention_with_heads_in_turn,
            "GQA whose query heads take key heads in turn",
            _grouped,
        ),
        Mutant(
            "activation-kernel-v1",
            "silu",
            gelu_for_silu,
            "GELU in the place of SiLU",
            lambda: {"x": _normal(3, 8)},
        ),
        Mutant(
            "activation-kernel-v1",
            "swiglu",
            geglu_for_swiglu,
            "GELU in the place of SiLU, gated",
            lambda: {"gate": _normal(3, 8), "up": 1 + _normal(3, 8)},
        ),
        Mutant(
            "kv-cache-equivalence-v1",
            "append",
            append_a_position_late,
            "KV write one position late",
            _cached,
        ),
        Mutant(
            "kv-cache-equivalence-v1",
            "prefix",
            append_a_position_early,
            "KV write one position early",
            _cached,
        ),
    )
}
"""By the name of the broken kernel."""
