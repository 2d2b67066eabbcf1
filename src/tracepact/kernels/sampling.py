"""sampling-algorithms-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array


@contract("sampling-algorithms-v1", "greedy")
def greedy(logits: Array) -> int:
    """The token of the largest logit [V], the lowest index among equals."""
    return int(np.argmax(logits))


@contract("sampling-algorithms-v1", "temperature")
def temperature(x: Array, temperature: float) -> Array:
    """Logits x [V] divided by the temperature, in their dtype; -inf stays."""
    return narrow(wide(x) / temperature, x)


@contract("sampling-algorithms-v1", "top_k")
def top_k(x: Array, k: int) -> Array:
    """The k largest of the probabilities x [V], renormalised; 0 elsewhere.

    Among equals the lowest index is kept. Source: Fan, Lewis & Dauphin 2018, arXiv:1805.04833.
    """
    return _kept(x, np.argsort(-wide(x), kind="stable")[:k])


@contract("sampling-algorithms-v1", "top_p")
def top_p(x: Array, p: float) -> Array:
    """The fewest most likely of the probabilities x [V] that reach the mass p, renormalised.

    0 elsewhere. Source: Holtzman et al. 2020, arXiv:1904.09751.
    """
    order = np.argsort(-wide(x), kind="stable")
    mass_before = np.cumsum(wide(x)[order]) - wide(x)[order]
    return _kept(x, order[mass_before < p])


@contract("sampling-algorithms-v1", "sample")
def sample(logits: Array, uniform: float, vocab_size: int | None = None) -> int:
    """A token drawn from the softmax of the logits, by inversion.

    Args:
        logits: [V] of finite numbers and -inf.
        uniform: A random number in [0, 1); the only source of chance.
        vocab_size: V; only a check reads it.
    """
    cumulative = np.cumsum(softmax(wide(logits)))
    # Rounding may leave the sum below 1; a token without probability is never drawn.
    drawn = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return int(min(drawn, np.flatnonzero(np.diff(cumulative, prepend=0.0))[-1]))


def _kept(x: Array, indices: Array) -> Array:
    kept = np.zeros(len(x))
    kept[indices] = wide(x)[indices]
    return narrow(kept / kept.sum(), x)
