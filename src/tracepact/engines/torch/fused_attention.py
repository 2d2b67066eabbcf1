"""MLT-02 where attention is fused: rows of one layer, computed anew from what its kernel was given.

A fused kernel gives no rows out. While the layer whose turn it is computes its attention, its call
of `scaled_dot_product_attention` is noted; from the same queries, keys, values and mask the newest
row of every head is computed once more, and times the values it has to be what the kernel gave.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from tracepact.core.arrays import as_array
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.mapping import LayerMap
from tracepact.model import ModelTracer

EVERY: Final = 4
"""Passes from one layer to the next."""

NOTE: Final = f"newest row of one layer every {EVERY} passes, computed anew"

_Call = tuple[tuple[Any, ...], dict[str, Any], torch.Tensor]


class _Listener(TorchFunctionMode):
    """Notes the first call of the kernel; every function runs as it would."""

    def __init__(self) -> None:
        super().__init__()
        self.call: _Call | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        ret = func(*args, **options)
        if func is scaled_dot_product_attention and self.call is None:
            self.call = args, options, ret
        return ret


class FusedAttentionTrace:
    """Looks at one layer at a time.

    Args:
        layers: Those with attention.
    """

    def __init__(self, layers: list[LayerMap]) -> None:
        self._layers = layers

    def register(self, turn: int, tracer: ModelTracer, forward: ForwardPass) -> list[Any]:
        """Hooks for a pass, if it is one that is looked at; returns their handles."""
        if turn % EVERY or not self._layers:
            return []
        layer = self._layers[turn // EVERY % len(self._layers)]
        assert layer.attention is not None, "only layers with attention take turns"
        listeners: dict[int, Any] = {}  # by thread

        def listen(module: nn.Module, arguments: Any) -> None:
            if forward.is_on and not torch.compiler.is_compiling():
                listener: Any = _Listener()
                listener.__enter__()
                listeners[threading.get_ident()] = listener

        def look(module: nn.Module, arguments: Any, output: Any) -> None:
            if torch.compiler.is_compiling():
                return
            listener = listeners.pop(threading.get_ident(), None)
            if listener is None:
                return
            listener.__exit__(None, None, None)
            try:
                if listener.call is not None and forward.is_on and not module.training:
                    _record(tracer, forward, layer.index, turn, listener.call)
            except Exception as error:
                tracer.layer.fault("MLT-02", error)

        module = layer.attention.module
        return [
            module.register_forward_pre_hook(listen),
            module.register_forward_hook(look, always_call=True),
        ]


def _record(tracer: ModelTracer, forward: ForwardPass, layer: int, turn: int, call: _Call) -> None:
    query, key, value, mask, scale, is_causal = _arguments(*call[:2])
    batch, heads, tokens, width = query.shape
    sequence = turn // EVERY % batch
    row = int(forward.newest(tokens)[sequence]) if batch == forward.batch else tokens - 1
    groups = heads // key.shape[1]
    keys = key[sequence].float().repeat_interleave(groups, dim=0)  # [heads, positions, width]
    values = value[sequence].float().repeat_interleave(groups, dim=0)
    scores = (keys @ query[sequence, :, row].float()[..., None])[..., 0]
    scores *= 1.0 / math.sqrt(width) if scale is None else scale
    positions = scores.shape[-1]
    if is_causal:
        scores[:, row + 1 :] = -torch.inf
    if mask is not None:
        allowed = mask.expand(batch, heads, tokens, positions)[sequence, :, row]
        if allowed.dtype == torch.bool:
            scores = scores.masked_fill(~allowed, -torch.inf)
        else:
            scores = scores + allowed.float()
    if bool((scores == -torch.inf).all(-1).any()):
        return  # a row that is masked as a whole, as those of padding are
    weights = torch.softmax(scores, -1)
    tracer.record_fused_attention(
        layer,
        as_array(weights[:, None]),
        as_array(call[2][sequence, :, row]),
        reference=as_array((weights[:, None] @ values)[:, 0]),
        values=as_array(values),
        sequence=sequence if batch > 1 else None,
    )


def _arguments(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")
    given = {**dict(zip(names, args, strict=False)), **options}
    return (
        *(given[name].detach() for name in names[:3]),
        given.get("attn_mask"),
        given.get("scale"),
        bool(given.get("is_causal", False)),
    )
