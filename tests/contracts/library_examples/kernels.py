"""Plain NumPy kernels that compute the good values: float32 in, float32 out."""

from __future__ import annotations

import numpy as np

from tracepact.types import Array


def softmax(x: Array) -> Array:
    """Along the last axis, in the dtype of x."""
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    """Along the last axis, in the dtype of x."""
    shifted = x - x.max(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_sum_exp(x: Array) -> Array:
    """Along the last axis."""
    top = x.max(axis=-1)
    return top + np.log(np.exp(x - top[..., None]).sum(axis=-1))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


def silu(x: Array) -> Array:
    """Product of x and its sigmoid."""
    return x * sigmoid(x)


def gelu_tanh(x: Array) -> Array:
    """The tanh form of GELU."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.float32(0.5) * x * (1 + np.tanh(inner))


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    """Along the last axis, sums in float32."""
    square = np.mean(np.square(x.astype(np.float32)), axis=-1, keepdims=True)
    return (x / np.sqrt(square + np.float32(eps)) * weight).astype(x.dtype)


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Along the last axis, two passes."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + np.float32(eps)) * weight + bias


def rotation_table(positions: Array, pairs: int) -> tuple[Array, Array]:
    """Cosine and sine [positions, pairs] for base 10 000."""
    angles = positions[:, None] * 10_000.0 ** (-np.arange(pairs) / pairs)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Half-split rotation of x [T, heads, hd] with tables [T, hd / 2]."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    c, s = cos[:, None, :], sin[:, None, :]
    return np.concatenate([a * c - b * s, a * s + b * c], axis=-1)


def attention_scores(x: Array, keys: Array, scale: float) -> Array:
    """Causal scores [H, T, S] of queries x [T, H, hd] at the end of keys [KV, S, hd]."""
    shared = np.repeat(keys, x.shape[1] // keys.shape[0], axis=0)
    scores = np.float32(scale) * np.einsum("thd,hsd->hts", x, shared)
    return np.where(causal_distance(x.shape[0], keys.shape[1]) < 0, -np.inf, scores)


def attention_output(weights: Array, values: Array) -> Array:
    """[T, H * hd] from weights [H, T, S] and values [KV, S, hd]."""
    shared = np.repeat(values, weights.shape[0] // values.shape[0], axis=0)
    mixed = np.einsum("hts,hsd->thd", weights, shared)
    return mixed.reshape(mixed.shape[0], -1)


def causal_distance(queries: int, keys: int) -> Array:
    """Position of each query less position of each key, [queries, keys]."""
    return np.arange(keys - queries, keys)[:, None] - np.arange(keys)
