"""MLT-02 with flash attention: one layer's newest rows, computed anew from what it was given."""

from __future__ import annotations

from typing import Final

import numpy as np

from tracepact.engines.llamacpp.nodes import Node
from tracepact.engines.llamacpp.tensors import Tensor
from tracepact.model import ModelTracer
from tracepact.types import Array

_EVERY: Final = 8
"""Passes from one layer to the next."""

NOTE: Final = f"flash attention gives no rows out; every {_EVERY}th pass one layer is computed anew"


class FusedAttentionTrace:
    """Layers whose attention is one operation, in turn.

    Args:
        tracer: Takes the trace.
    """

    def __init__(self, tracer: ModelTracer) -> None:
        self._tracer = tracer
        self._rules: list[int] = []
        self._passes = 0
        self._turn: list[int] = []

    def add(self, rule: int) -> None:
        """A layer's attention that was met."""
        self._rules.append(rule)
        self._tracer.summary.attention_note = NOTE

    def take_turn(self) -> list[int]:
        """The rule of the layer to look at in this pass, if there is one."""
        turn, rest = divmod(self._passes, _EVERY)
        self._passes += 1
        is_due = self._rules and rest == _EVERY // 2  # not where a product is compared
        self._turn = [self._rules[turn % len(self._rules)]] if is_due else []
        return self._turn

    def is_turn_of(self, rule: int) -> bool:
        """Whether this is the layer to look at."""
        return rule in self._turn

    def look(self, node: Node, tensor: Tensor) -> None:
        """Compute the newest query's rows anew."""
        found = _newest_rows(tensor)
        if found is not None:
            weights, ret, reference, values = found
            self._tracer.record_fused_attention(
                node.layer or 0, weights, ret, reference=reference, values=values
            )


def _newest_rows(tensor: Tensor) -> tuple[Array, Array, Array, Array] | None:
    """Weights [heads, 1, keys], result and reference [heads, hd], values [kv heads, keys, hd].

    None where what it was given cannot be read, as where the cache is quantised, or has a form that
    is not known here.
    """
    sources = [tensor.reach((index,)) for index in range(4)]
    query, key, value, mask = (None if s is None else s.array(3) for s in sources)
    output = tensor.array(3)
    if query is None or key is None or value is None or mask is None or output is None:
        return None
    scale, bias, cap = (tensor.parameter(index) for index in range(3))
    heads, tokens, _ = query.shape
    if bias or tensor.source(4) is not None or mask.shape[0] != 1 or heads % len(key):
        return None
    groups = heads // len(key)
    q = query[:, tokens - 1].astype(key.dtype).astype(np.float64)  # as the kernel rounds it
    k = np.repeat(key.astype(np.float64), groups, axis=0)
    v = np.repeat(value.astype(np.float64), groups, axis=0)
    scores = np.einsum("hd,hsd->hs", q, k) * scale
    if cap:
        scores = cap * np.tanh(scores / cap)
    scores = scores + mask[0, tokens - 1].astype(np.float64)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    reference = np.einsum("hs,hsd->hd", weights, v)
    ret = output[tokens - 1]
    return weights[:, None].astype(np.float32), ret, reference.astype(np.float32), value
