"""MLT-03: which tokens win, and at which layer that was decided."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from tracepact.core import largest_share
from tracepact.core.arrays import as_array
from tracepact.types import Array

TRACE: Final = "MLT-03"
EQUATION: Final = ("model-config-algebra-v1", "logit_bound")

Lens: TypeAlias = Callable[[Array, Array | None], Array]
"""(hidden [n, d], token ids [k] or None for all) -> logits [n, k or vocabulary]."""


@dataclass(frozen=True)
class LogitRecord:
    """The tracked tokens of one forward pass.

    Attributes:
        tokens: [k] ids, largest final logit first.
        logits: [k] their final logits.
        bound_utilization: Largest |logit| over its bound ‖W_i‖·‖h‖; NaN without a bound.
        temperature: Of the sampler; 0 is greedy.
        top_p: Of the sampler.
        hidden: [1, d] residual stream after each layer; empty if unknown.
        lens: Turns them into logits.
        full_ranks: Rank in the whole vocabulary, not only among the tracked tokens.

    What follows the tokens through the layers is computed when somebody asks, and kept.
    """

    tokens: Array
    logits: Array
    bound_utilization: float
    temperature: float
    top_p: float
    hidden: list[Array] = field(repr=False)
    lens: Lens | None = field(repr=False)
    full_ranks: bool = False

    @cached_property
    def _by_layer(self) -> tuple[Array, Array] | None:
        if not self.hidden or self.lens is None:
            return None
        stacked = np.concatenate([_last_row(each) for each in self.hidden])
        everything = self.lens(stacked, None if self.full_ranks else self.tokens)
        tracked = everything[:, self.tokens] if self.full_ranks else everything
        return tracked, _ranks(everything, tracked)

    @property
    def layer_logits(self) -> Array | None:
        """[layers, k] logits that the residual stream after each layer would give.

        None without hidden states.
        """
        return None if self._by_layer is None else self._by_layer[0]

    @property
    def layer_ranks(self) -> Array | None:
        """[layers, k] rank, 0 first."""
        return None if self._by_layer is None else self._by_layer[1]

    @property
    def deciding_layer(self) -> int | None:
        """First layer from which the winner stays first; None if unknown, as where there is NaN."""
        if self._by_layer is None or np.isnan(self._by_layer[0]).any():
            return None
        ranks = self._by_layer[1]
        lost = np.flatnonzero(ranks[:, 0] > 0)
        first = int(lost[-1]) + 1 if lost.size else 0
        return first if first < len(ranks) else None


def bound_utilization(logits: Array, row_norms: Array, hidden_norm: float) -> float:
    """Largest |logit| over its bound; at most 1, but for rounding."""
    # A padded row of the vocabulary has neither a norm nor a logit.
    share = largest_share(logits, row_norms)
    if hidden_norm == 0:
        return math.inf if share > 0 else share
    return share / hidden_norm


def _last_row(hidden: Array) -> Array:
    array = as_array(hidden)
    return array.reshape(-1, array.shape[-1])[-1:]


def _ranks(everything: Array, tracked: Array) -> Array:
    """How many of `everything` [layers, n] are above each of `tracked` [layers, k]; [layers, k]."""
    if everything.shape == tracked.shape:
        return np.asarray((everything[:, None, :] > tracked[:, :, None]).sum(-1))
    # One at a time: with the whole vocabulary, [layers, k, n] would be large.
    above = [(everything > tracked[:, [i]]).sum(-1) for i in range(tracked.shape[1])]
    return np.stack(above, axis=-1)
