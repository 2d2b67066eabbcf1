"""MLT-05 on PyTorch: what the cache objects of transformers hold."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Found(NamedTuple):
    """What a cache holds after a pass, in numbers: its tensors may be large, and are let go.

    Attributes:
        layers: How many it has.
        used: Positions in use, of the layer that has most.
        capacity: Positions there are; 0 where it grows.
        bytes_used: Of the positions in use.
        bytes_total: Of all.
        wrong: NaN and Inf among what the pass wrote, and what was written past the end or is no
            longer the same, both [layers]; None where nothing is wrong for sure.
    """

    layers: int
    used: int
    capacity: int
    bytes_used: int
    bytes_total: int
    wrong: tuple[Array, Array] | None


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
            wrong = np.zeros(len(held), np.int64), _overrun(held, forward.tokens)
            self.record(tracer, forward, _found(held, wrong), forward.tokens)
            tracer.report()

    def after(self, tracer: ModelTracer, forward: ForwardPass, cache: Any) -> Found | None:
        """Look at what a cache holds after a pass; None where there is none, or nobody asks."""
        if not tracer.config.kv_cache:
            return None
        if forward.batch == 1 and forward.is_decoding:
            grown = self._grown(forward, cache)
            if grown is not None:
                return grown
        held = layers_of(cache)
        if not held:
            return None
        changed = None
        if all(each.capacity is None and each.may_grow for each in held):
            used = held[0].used
            if any(_is_left_out(each) or each.used != used for each in held):
                used = 0
            changed = self._history.of_thread.look(cache, held, used, forward.tokens)
        if changed is None:
            is_within = all(e.capacity is None or e.used <= e.capacity for e in held)
            if is_within and _is_finite(held, forward):
                return _found(held, None)
            changed = _overrun(held, 0)
        nonfinite = np.array([_nonfinite(each, forward) for each in held], np.int64)
        return _found(held, (nonfinite, changed))

    def _grown(self, forward: ForwardPass, cache: Any) -> Found | None:
        """The same at once for one token in a cache that grows; None where Python has to look."""
        native, layers = native_core(), getattr(cache, "layers", None)
        if native is None or type(layers) is not list or not layers:
            return None
        kind = type(layers[0])
        if kind.__name__ != "DynamicLayer" or kind.__module__ != "transformers.cache_utils":
            return None
        found = native.written_in(layers, kind, forward.tokens)
        if found is None:
            return None
        used, size = found
        changed = self._history.of_thread.look(cache, layers, used, forward.tokens)
        wrong = None if changed is None else (np.zeros(len(layers), np.int64), changed)
        return Found(len(layers), used, 0, size, size, wrong)

    def fill(self, forward: ForwardPass, found: Found) -> CacheFill:
        """What was found, where nothing is wrong."""
        record = functools.partial(
            self._figures, forward.position, forward.tokens, found, nonfinite=0, overrun=0
        )
        return CacheFill(found.used, self._capacity(found), found.layers, record)

    def record(
        self, tracer: ModelTracer, forward: ForwardPass, found: Found, coming: int = 0
    ) -> None:
        """Hand what was found to the tracer; `coming` positions are about to be written."""
        nothing = np.zeros(found.layers, np.int64)
        nonfinite, overrun = found.wrong or (nothing, nothing)
        record = self._figures(
            forward.position,
            forward.tokens,
            found._replace(used=found.used + coming),
            nonfinite=int(nonfinite.sum()),
            overrun=int(overrun.sum()),
        )
        tracer.record_kv_cache(record, nonfinite=nonfinite, guard_writes=overrun)

    def record_of(self, forward: ForwardPass, held: list[_Held]) -> KvCacheRecord:
        """What a cache of these layers holds; asks no device."""
        found = _found(held, None)
        return self._figures(forward.position, forward.tokens, found, nonfinite=0, overrun=0)

    def _capacity(self, found: Found) -> int:
        return found.capacity or max(found.used, self._limit or 0)

    def _figures(
        self, position: int, tokens: int, found: Found, *, nonfinite: int, overrun: int
    ) -> KvCacheRecord:
        positions = position + tokens
        return KvCacheRecord(
            used=found.used,
            capacity=self._capacity(found),
            bytes_used=found.bytes_used,
            bytes_total=found.bytes_total,
            evictions=max(0, positions - found.used),
            hit_rate=position / positions if positions else 0.0,
            oldest_position=max(0, positions - found.used),
            fragmentation=0.0,
            nonfinite=nonfinite,
            guard_writes=overrun,
        )


def _found(held: list[_Held], wrong: tuple[Array, Array] | None) -> Found:
    sizes = [(each, each.keys.nbytes + each.values.nbytes) for each in held]
    return Found(
        layers=len(held),
        used=max(each.used for each in held),
        capacity=max(each.capacity or 0 for each in held),
        bytes_used=sum(
            size * min(each.used, each.keys.shape[2]) // max(1, each.keys.shape[2])
            for each, size in sizes
        ),
        bytes_total=sum(size for _, size in sizes),
        wrong=wrong,
    )


def _overrun(held: list[_Held], coming: int) -> Array:
    """Positions past the capacity, [layers]."""
    over = [
        0 if each.capacity is None else max(0, each.used + coming - each.capacity) for each in held
    ]
    return np.array(over, np.int64)


def _is_left_out(held: _Held) -> bool:
    """Whether what earlier passes have written is not looked at again."""
    keys = held.keys
    is_whole = keys.shape[2] >= held.used and held.values.shape[2] >= held.used
    return keys.shape[0] != 1 or keys.device.type != "cpu" or not is_whole


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
