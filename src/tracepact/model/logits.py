"""MLT-03: which tokens win, and at which layer that was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from tracepact.types import Array

TRACE: Final = "MLT-03"
EQUATION: Final = ("model-config-algebra-v1", "logit_bound")

Lens: TypeAlias = Callable[[Array, Array | None], Array]
"""(hidden [n, d], token ids [k] or None for all) -> logits [n, k or vocabulary]."""


@dataclass(frozen=True, slots=True)
class LogitRecord:
    """The tracked tokens of one forward pass.

    Attributes:
        tokens: [k] ids, largest final logit first.
        logits: [k] their final logits.
        layer_logits: [layers, k] logits that the residual stream after each layer would give;
            None without hidden states.
        layer_ranks: [layers, k] rank, 0 first: in the whole vocabulary or, without `full_ranks`,
            among the tracked tokens.
        deciding_layer: First layer from which the winner stays first; None if unknown.
        bound_utilization: Largest |logit| over its bound ‖W_i‖·‖h‖; NaN without a bound.
        temperature: Of the sampler; 0 is greedy.
        top_p: Of the sampler.
    """

    tokens: Array
    logits: Array
    layer_logits: Array | None
    layer_ranks: Array | None
    deciding_layer: int | None
    bound_utilization: float
    temperature: float
    top_p: float


def describe(
    logits: Array,
    *,
    bound: Array | None,
    hidden: list[Array],
    lens: Lens | None,
    top_k: int,
    full_ranks: bool,
    temperature: float,
    top_p: float,
) -> LogitRecord:
    """Describe the logits [vocabulary] of the newest token; `hidden` has one [d] a layer."""
    k = min(top_k, logits.size)
    top = np.argpartition(logits, logits.size - k)[logits.size - k :]
    tokens = top[np.argsort(-logits[top])]
    layer_logits = layer_ranks = None
    if hidden and lens is not None:
        stacked = np.stack(hidden)
        everything = lens(stacked, None) if full_ranks else lens(stacked, tokens)
        layer_logits = everything[:, tokens] if full_ranks else everything
        layer_ranks = np.stack(
            [(everything > layer_logits[:, [i]]).sum(-1) for i in range(k)], axis=-1
        )
    with np.errstate(all="ignore"):
        ratio = (
            float(np.max(np.where(logits == 0, 0.0, np.abs(logits) / bound)))
            if bound is not None
            else float("nan")
        )
    return LogitRecord(
        tokens=tokens,
        logits=logits[tokens],
        layer_logits=layer_logits,
        layer_ranks=layer_ranks,
        deciding_layer=_deciding_layer(layer_ranks),
        bound_utilization=ratio,
        temperature=temperature,
        top_p=top_p,
    )


def _deciding_layer(layer_ranks: Array | None) -> int | None:
    if layer_ranks is None:
        return None
    lost = np.flatnonzero(layer_ranks[:, 0] > 0)
    first = int(lost[-1]) + 1 if lost.size else 0
    return first if first < len(layer_ranks) else None
