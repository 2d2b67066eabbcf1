"""Choose a token from logits."""

from __future__ import annotations

import math

import numpy as np

from tracepact.enforce import contract
from tracepact.errors import ConfigError
from tracepact.types import Array


class Sampler:
    """Greedy, or a draw from the softmax of the logits after temperature, top-k and top-p.

    Top-p is nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751): the smallest set of most
    likely tokens that together reach the probability `top_p`.

    Args:
        temperature: divides the logits; 0 always takes the most likely token.
        top_k: how many most likely tokens may be drawn; 0 means all.
        top_p: in (0, 1]; 1 means all.
        seed: makes the draws repeatable.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> None:
        if not (temperature >= 0.0 and math.isfinite(temperature)):
            raise ConfigError(f"temperature must be a number of at least 0, got {temperature}")
        if top_k < 0:
            raise ConfigError(f"top_k must be at least 0 (0 means all tokens), got {top_k}")
        if not 0.0 < top_p <= 1.0:
            raise ConfigError(f"top_p must be in (0, 1], got {top_p}")
        if seed is not None and seed < 0:
            raise ConfigError(f"seed must be at least 0, got {seed}")
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self._random = np.random.default_rng(seed)

    @contract("sampling-algorithms-v1", "sample")
    def sample(self, logits: Array, vocab_size: int | None = None) -> int:
        """Draw one token id.

        Args:
            vocab_size: V as the model's file has it; only the contract looks at it.
            logits: [V], any float dtype. Where the largest is NaN or Inf there is nothing to draw
                from, and the first such index is returned: reporting it is a contract's task.
        """
        best = int(np.argmax(logits))
        if self.temperature == 0.0 or not np.isfinite(logits[best]):
            return best
        ids = self._candidates(logits)
        scaled = logits[ids].astype(np.float64) / self.temperature
        cumulative = np.cumsum(np.exp(scaled - scaled.max()))
        if self.top_p < 1.0:
            kept = int(np.searchsorted(cumulative, self.top_p * cumulative[-1])) + 1
            cumulative = cumulative[:kept]
        draw = self._random.random() * cumulative[-1]
        index = int(np.searchsorted(cumulative, draw, side="right"))
        return int(ids[min(index, len(cumulative) - 1)])

    def _candidates(self, logits: Array) -> Array:
        """Ids that may be drawn; most likely first where top-p asks for an order."""
        ids = np.arange(logits.size)
        if 0 < self.top_k < logits.size:
            ids = np.argpartition(logits, -self.top_k)[-self.top_k :]
        if self.top_p < 1.0:
            ids = ids[np.argsort(-logits[ids])]
        return ids
