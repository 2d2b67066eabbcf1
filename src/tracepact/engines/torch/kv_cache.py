"""MLT-05 on PyTorch: what the cache objects of transformers hold."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tracepact.core import Stat, measure, native_core
from tracepact.engines.torch.cache_history import CacheHistory
from tracepact.engines.torch.forward import ForwardPass
from tracepact.model import KvCacheRecord, ModelTracer
from tracepact.model.pass_end import CacheFill
from tracepact.types import Array


@dataclass(frozen=True, slots=True)
class _Held:
    """What one layer of a cache holds.

    Attributes:
        keys: [batch, kv heads, positions, head_dim]; values likewise.
        used: Positions in use; older ones than a window have made room.
        capacity: Positions there are; None where the cache grows.
        may_grow: Whether nothing makes room.
    """

    keys: torch.Tensor
    values: torch.Tensor
    used: int
    capacity: int | None
    may_grow: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What a cache holds after a pass.

    Attributes:
        held: Its layers.
        changed: Pieces that earlier passes wrote and that are no longer the same, [layers].
        is_clean: Whether nothing is wrong for sure.
    """

    held: list[_Held]
    changed: Array | None
    is_clean: bool


class _Histories(threading.local):
    """Threads that run one model have a cache each."""

    def __init__(self) -> None:
        self.of_thread = CacheHistory()


class CacheTrace:
    """Looks at a cache after each pass.

    What a pass has written is looked at in every layer, so that the cost does not grow with the
    context; some of what earlier passes have written is looked at again, in turn. Windows that
    slide are full when they are full, and nothing is wrong with that.

    Args:
        limit: Positions that the model was made for: the capacity of a cache that grows.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._history = _Histories()

    def before(self, tracer: ModelTracer, forward: ForwardPass) -> None:
        """Report a cache of fixed size that has no room for this pass.

        PyTorch raises an `IndexError` then, or writes elsewhere, depending on the kernel.
        """
        layers = getattr(forward.cache, "layers", None) or ()
        if not any(hasattr(layer, "max_cache_len") for layer in layers):
            return
        held = layers_of(forward.cache)
        short = [each for each in held if each.capacity is not None]
        if any(each.used + forward.tokens > (each.capacity or 0) for each in short):
            self._record(tracer, forward, held, forward.tokens, None)
            tracer.report()

    def after(self, tracer: ModelTracer, forward: ForwardPass, cache: Any) -> Found | None:
        """Look at what a cache holds after a pass; None where there is none, or nobody asks."""
        held = layers_of(cache) if tracer.config.kv_cache else []
        if not held:
            return None
        changed = None
        if all(each.capacity is None and each.may_grow for each in held):
            changed = self._history.of_thread.look(cache, held, forward.tokens)
        is_clean = changed is None and all(
            each.capacity is None or each.used <= each.capacity for each in held
        )
        return Found(held, changed, is_clean and _is_finite(held, forward))

    def fill(self, forward: ForwardPass, found: Found) -> CacheFill:
        """What was found, where it is clean."""
        held, position, tokens = found.held, forward.position, forward.tokens
        used = max(each.used for each in held)
        capacity = max(each.capacity or 0 for each in held) or max(used, self._limit or 0)
        return CacheFill(
            used, capacity, len(held), lambda: self._figures(position, tokens, held, 0, 0, 0)
        )

    def record(self, tracer: ModelTracer, forward: ForwardPass, found: Found) -> None:
        """Hand what was found to the tracer."""
        self._record(tracer, forward, found.held, 0, found.changed)

    def _record(
        self,
        tracer: ModelTracer,
        forward: ForwardPass,
        held: list[_Held],
        coming: int,
        changed: Array | None,
    ) -> None:
        nonfinite = np.zeros(len(held), np.int64)
        overrun = np.zeros(len(held), np.int64) if changed is None else changed
        for index, each in enumerate(held):
            if each.capacity is not None:
                overrun[index] = max(0, each.used + coming - each.capacity)
        if not coming and not _is_finite(held, forward):
            nonfinite[:] = [_nonfinite(each, forward) for each in held]
        record = self.record_of(forward, held, coming, int(nonfinite.sum()), int(overrun.sum()))
        tracer.record_kv_cache(record, nonfinite=nonfinite, guard_writes=overrun)

    def record_of(
        self,
        forward: ForwardPass,
        held: list[_Held],
        coming: int = 0,
        nonfinite: int = 0,
        overrun: int = 0,
    ) -> KvCacheRecord:
        """What a cache of these layers holds; asks no device."""
        return self._figures(forward.position, forward.tokens, held, coming, nonfinite, overrun)

    def _figures(
        self,
        position: int,
        tokens: int,
        held: list[_Held],
        coming: int,
        nonfinite: int,
        overrun: int,
    ) -> KvCacheRecord:
        positions = position + tokens
        used = max(each.used for each in held) + coming
        capacity = max(each.capacity or 0 for each in held)
        return KvCacheRecord(
            used=used,
            capacity=capacity or max(used, self._limit or 0),
            bytes_used=sum(
                (each.keys.nbytes + each.values.nbytes)
                * min(each.used, each.keys.shape[2]) // max(1, each.keys.shape[2])
                for each in held
            ),
            bytes_total=sum(each.keys.nbytes + each.values.nbytes for each in held),
            evictions=max(0, positions - used),
            hit_rate=position / positions if positions else 0.0,
            oldest_position=max(0, positions - used),
            fragmentation=0.0,
            nonfinite=nonfinite,
            guard_writes=overrun,
        )  # fmt: skip


def layers_of(cache: Any) -> list[_Held]:
    """Layers of a cache that hold keys and values as tensors; others are not looked at."""
    cache = getattr(cache, "self_attention_cache", cache)
    held = []
    for layer in getattr(cache, "layers", None) or ():
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        if not (isinstance(keys, torch.Tensor) and isinstance(values, torch.Tensor)):
            continue
        if keys.dim() != 4 or keys.shape[2] == 0:
            continue
        used, capacity = int(layer.get_seq_length()), None
        slides = bool(getattr(layer, "is_sliding", False))
        if slides:
            used = min(used, keys.shape[2])
        elif hasattr(layer, "max_cache_len"):
            capacity = int(layer.max_cache_len)
        held.append(_Held(keys, values, used, capacity, not slides))
    return held


def _is_finite(held: list[_Held], forward: ForwardPass) -> bool:
    """Whether what a pass wrote is finite in every layer, for sure and at once."""
    native, stop = native_core(), held[0].used
    if native is None or forward.counted is not None or any(e.used != stop for e in held):
        return False
    tensors = [tensor for each in held for tensor in (each.keys, each.values)]
    return bool(native.written_is_finite(tensors, max(0, stop - forward.tokens), stop))


def _nonfinite(held: _Held, forward: ForwardPass) -> int:
    """NaN and Inf among what a pass wrote, which are the last positions in use."""
    stop = min(held.used, held.keys.shape[2])
    start = max(0, stop - forward.tokens)
    found = 0
    for tensor in (held.keys, held.values):
        written = tensor[:, :, start:stop].detach()
        if forward.counted is not None and stop - start == forward.tokens:
            written = written.transpose(1, 2)[forward.counted]
        found += measure(written, Stat.COUNTS).nonfinite_count
    return found
