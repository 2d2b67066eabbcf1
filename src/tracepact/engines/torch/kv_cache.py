"""MLT-05 on PyTorch: what the cache objects of transformers hold."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from tracepact.core import Stat, measure, native_core
from tracepact.engines.torch.cache_history import CacheHistory
from tracepact.engines.torch.forward import ForwardPass
from tracepact.model import KvCacheRecord, ModelTracer
from tracepact.types import Array

if TYPE_CHECKING:
    from tracepact.core import _native


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

    A `CacheFill` where nothing is wrong.

    Attributes:
        used: Positions in use, of the layer that has most.
        capacity: Positions there are; for a cache that grows, those that the model was made for.
        layers: How many it has.
        bytes_used: Of the positions in use.
        bytes_total: Of all.
        position: Of the first token of the pass.
        tokens: Of the pass.
        wrong: NaN and Inf among what the pass wrote, and what was written past the end or is no
            longer the same, both [layers]; None where nothing is wrong for sure.
    """

    used: int
    capacity: int
    layers: int
    bytes_used: int
    bytes_total: int
    position: int
    tokens: int
    wrong: tuple[Array, Array] | None

    def record(self) -> KvCacheRecord:
        """As MLT-05 has it."""
        positions = self.position + self.tokens
        nonfinite, overrun = self.wrong or ((), ())
        return KvCacheRecord(
            used=self.used,
            capacity=self.capacity,
            bytes_used=self.bytes_used,
            bytes_total=self.bytes_total,
            evictions=max(0, positions - self.used),
            hit_rate=self.position / positions if positions else 0.0,
            oldest_position=max(0, positions - self.used),
            fragmentation=0.0,
            nonfinite=int(sum(nonfinite)),
            guard_writes=int(sum(overrun)),
        )


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
        self._limit = limit or 0
        native = native_core()
        self._writes: _native.Writes | None = None if native is None else native.Writes()
        self._history = _Histories()

    def follow(self, hook: Any) -> None:
        """Have a layer's native hook look at what the layer has written, while it is at hand."""
        if self._writes is not None and hasattr(hook, "follow"):
            hook.follow(self._writes)

    def before(self, tracer: ModelTracer, forward: ForwardPass) -> None:
        """Report a cache of fixed size that has no room for this pass.

        PyTorch raises an `IndexError` then, or writes elsewhere, depending on the kernel.
        """
        if self._history.of_thread.is_of(forward.cache):
            growing = _growing(forward.cache)
            if self._writes is not None and growing is not None and forward.is_decoding:
                self._writes.begin(growing, type(growing[0]), forward.tokens)
            return  # it grows
        layers = getattr(forward.cache, "layers", None) or ()
        if not any(hasattr(layer, "max_cache_len") for layer in layers):
            return
        held = layers_of(forward.cache)
        short = [each for each in held if each.capacity is not None]
        if any(each.used + forward.tokens > (each.capacity or 0) for each in short):
            wrong = np.zeros(len(held), np.int64), _overrun(held, forward.tokens)
            found = self._found(forward, held, wrong)
            self.record(tracer, found._replace(used=found.used + forward.tokens))
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
                return self._found(forward, held, None)
            changed = _overrun(held, 0)
        nonfinite = np.array([_nonfinite(each, forward) for each in held], np.int64)
        return self._found(forward, held, (nonfinite, changed))

    def _grown(self, forward: ForwardPass, cache: Any) -> Found | None:
        """The same at once for one token in a cache that grows; None where Python has to look."""
        native, tokens = native_core(), forward.tokens
        layers = None if native is None else _growing(cache)
        if native is None or layers is None:
            return None
        seen = None if self._writes is None else self._writes.end()
        found = seen if seen is not None and cache is forward.cache else None
        found = found or native.written_in(layers, type(layers[0]), tokens)
        if found is None:
            return None
        used, size = found
        changed = self._history.of_thread.look(cache, layers, used, tokens)
        wrong = None if changed is None else (np.zeros(len(layers), np.int64), changed)
        capacity = max(used, self._limit)
        return Found(used, capacity, len(layers), size, size, forward.position, tokens, wrong)

    def record(self, tracer: ModelTracer, found: Found) -> None:
        """Hand what was found to the tracer."""
        nothing = np.zeros(found.layers, np.int64)
        nonfinite, overrun = found.wrong or (nothing, nothing)
        tracer.record_kv_cache(found.record(), nonfinite=nonfinite, guard_writes=overrun)

    def record_of(self, forward: ForwardPass, held: list[_Held]) -> KvCacheRecord:
        """What a cache of these layers holds; asks no device."""
        return self._found(forward, held, None).record()

    def _found(
        self, forward: ForwardPass, held: list[_Held], wrong: tuple[Array, Array] | None
    ) -> Found:
        sizes = [(each, each.keys.nbytes + each.values.nbytes) for each in held]
        used = max(each.used for each in held)
        return Found(
            used=used,
            capacity=max(each.capacity or 0 for each in held) or max(used, self._limit),
            layers=len(held),
            bytes_used=sum(
                size * min(each.used, each.keys.shape[2]) // max(1, each.keys.shape[2])
                for each, size in sizes
            ),
            bytes_total=sum(size for _, size in sizes),
            position=forward.position,
            tokens=forward.tokens,
            wrong=wrong,
        )


def _growing(cache: Any) -> list[Any] | None:
    """The layers of a cache that keeps all that is written; None for any other."""
    layers = getattr(cache, "layers", None)
    if type(layers) is not list or not layers:
        return None
    kind = type(layers[0])
    is_known = kind.__name__ == "DynamicLayer" and kind.__module__ == "transformers.cache_utils"
    return layers if is_known else None


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
