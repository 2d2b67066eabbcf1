"""MLT-05 on llama.cpp: what the KV cache holds."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from tracepact.engines.llamacpp.calls import Call
from tracepact.engines.llamacpp.context import Attached
from tracepact.engines.llamacpp.slots import Slot
from tracepact.engines.llamacpp.tensors import Tensor
from tracepact.model import KvCacheRecord, ModelTracer

_CACHE: Final = re.compile(r"(?:cache_)?([kv])_(?:l|cache_view-)(\d+)\b")
_EXPONENTS: Final = MappingProxyType({"f32": 0x7F800000, "f16": 0x7C00, "bf16": 0x7F80})
_TRUSTED: Final = 15
"""Passes that add one position each, after the library was asked: it walks all cells to answer."""

NO_ROOM: Final = 1
"""What `llama_decode` returns where the cache has no place for a batch; nothing was computed."""


class Fill(NamedTuple):
    """How full a cache was after a pass; a `CacheFill`.

    Attributes:
        used: Positions in use.
        capacity: Positions there are.
        layers: How many it has.
        first: The smallest position in use.
        tokens: That the pass has written.
        trace: Knows the rest.
    """

    used: int
    capacity: int
    layers: int
    first: int
    tokens: int
    trace: CacheTrace

    def record(self) -> KvCacheRecord:
        """Its figures."""
        return self.trace.record_of(self)


class CacheTrace:
    """Looks at a cache after each pass.

    Args:
        attached: The context.
        tracer: Takes the trace.
    """

    def __init__(self, attached: Attached, tracer: ModelTracer) -> None:
        self._tracer = tracer
        function, pointer = attached.library.function, ctypes.c_void_p
        self._last = _positions(attached, "max")
        self._first = _positions(attached, "min")
        per_sequence = function("llama_n_ctx_seq", ctypes.c_uint32, pointer)
        whole = function("llama_n_ctx", ctypes.c_uint32, pointer)
        self._layers = 1
        self._cells = 0
        self._trusted = 0  # passes until the library is asked again which positions it holds
        self._oldest = 0
        self._sizes: dict[tuple[str, int], int] = {}
        self._capacity = int((per_sequence or whole)(attached.pointer))

    @property
    def _bytes(self) -> int:
        return sum(self._sizes.values())

    @property
    def position(self) -> int:
        """Of the next token of sequence 0."""
        return self._last(0) + 1

    def slot_of(self, tensor: Tensor, tokens: int) -> Slot | None:
        """Where a node writes into the cache; None for any other node.

        Args:
            tensor: The node.
            tokens: Of the pass.
        """
        match = _CACHE.match(tensor.name)
        if match is None or tensor.kind not in _EXPONENTS:
            return None
        layer, source = int(match[2]), tensor.source(0)
        if tensor.operation == "SET_ROWS":
            slot = self._rows(tensor, layer, is_keys=match[1] == "k")
        elif tensor.operation == "CPY" and source is not None and not _CACHE.match(source.name):
            slot = self._piece(tensor, layer, tokens)
        else:
            return None
        if slot is not None:
            self._layers = max(self._layers, layer + 1)
            whole = tensor if slot.by_rows else tensor.viewed
            self._sizes[(match[1], layer)] = tensor.nbytes if whole is None else whole.nbytes
        return slot

    def _rows(self, tensor: Tensor, layer: int, *, is_keys: bool) -> Slot | None:
        """Rows that are named by their index; of one number each where values are transposed."""
        *_, rows, columns = tensor.shape
        size = tensor.strides[-1]
        exponent = _EXPONENTS[tensor.kind or ""]
        if is_keys:
            self._cells = rows
        if columns > 1:
            return Slot(
                layer, True, False, rows, columns, size, size, tensor.strides[-2], exponent
            )  # fmt: skip
        if not self._cells or rows % self._cells:
            return None
        width = rows // self._cells
        return Slot(layer, True, True, self._cells, width, size, size * self._cells, size, exponent)

    def _piece(self, tensor: Tensor, layer: int, tokens: int) -> Slot | None:
        """A piece that is copied into; its tokens lie side by side, or are columns."""
        whole = tensor.viewed
        if whole is None:
            return None
        size, exponent = tensor.strides[-1], _EXPONENTS[tensor.kind or ""]
        everything = math.prod(tensor.shape)
        held, width = whole.nbytes // size, everything // tokens
        *_, rows, columns = tensor.shape
        stride = tensor.strides[-2]
        if rows > 1 and stride != size * columns:
            if columns != tokens or rows != width:
                return None  # neither of the two
            return Slot(layer, False, True, held // width, width, size, stride, size, exponent)
        return Slot(
            layer, False, False, held // width, width, size, size, size * width, exponent
        )  # fmt: skip

    def record(self, call: Call, status: int, found: Sequence[tuple[int, int, int]]) -> None:
        """Hand what the cache holds after a pass to the tracer.

        Args:
            call: What the pass was asked for.
            status: What it returned.
            found: Layer, NaN and Inf among what it wrote, and cells of earlier passes that have
                changed since; of layers where there are any.
        """
        if status not in (0, NO_ROOM):
            return
        coming = call.tokens if status == NO_ROOM else 0
        sequences = [0] if call.sequences is None else np.unique(call.sequences).tolist()
        ends = [(self._first(each), self._last(each)) for each in sequences]
        first, last = max(ends, key=lambda end: end[1] - end[0])
        if last < 0 and not coming:
            return  # this model keeps nothing
        nonfinite = overwritten = np.zeros(self._layers, np.int64)
        if found:
            nonfinite, overwritten = nonfinite.copy(), overwritten.copy()
            for layer, strange, changed in found:
                nonfinite[layer] += strange
                overwritten[layer] += changed
        self._tracer.record_kv_cache(
            self._record(first, last, call.tokens, coming, found),
            nonfinite=nonfinite,
            guard_writes=overwritten,
        )

    def newest(self, call: Call) -> Fill | None:
        """After a pass with one sequence in which nothing was found; None without a cache."""
        last = (call.position or 0) + call.tokens - 1
        if self._trusted and last - self._oldest < self._capacity:
            self._trusted -= 1
        else:
            expected, last, self._oldest = last, self._last(0), self._first(0)
            is_plain = call.position is not None and last == expected
            self._trusted = _TRUSTED if is_plain else 0
        if last < 0:
            return None
        used = last - self._oldest + 1
        return Fill(used, self._capacity, self._layers, self._oldest, call.tokens, self)

    def forget(self) -> None:
        """Somebody has changed what the cache holds."""
        self._trusted = 0

    def record_of(self, fill: Fill) -> KvCacheRecord:
        """The figures of a cache in which nothing was found."""
        return self._record(fill.first, fill.first + fill.used - 1, fill.tokens, 0, ())

    def _record(
        self,
        first: int,
        last: int,
        tokens: int,
        coming: int,
        found: Sequence[tuple[int, int, int]],
    ) -> KvCacheRecord:
        used = (last - first + 1 if last >= 0 else 0) + coming
        positions = last + 1
        return KvCacheRecord(
            used=used,
            capacity=self._capacity,
            bytes_used=self._bytes * min(used, self._capacity) // max(1, self._capacity),
            bytes_total=self._bytes,
            evictions=max(0, first),
            hit_rate=max(0, positions - tokens) / positions if positions else 0.0,
            oldest_position=max(0, first),
            fragmentation=0.0,
            nonfinite=sum(each[1] for each in found),
            guard_writes=sum(each[2] for each in found),
        )


def _positions(attached: Attached, which: str) -> Callable[[int], int]:
    """The smallest or largest position of a sequence; -1 where it has none."""
    function, pointer, number = attached.library.function, ctypes.c_void_p, ctypes.c_int32
    of_memory = function(f"llama_memory_seq_pos_{which}", number, pointer, number)
    if of_memory is not None:
        memory: Any = function("llama_get_memory", pointer, pointer)(attached.pointer)
        return lambda sequence: int(of_memory(memory, sequence)) if memory else -1
    of_cache = function(f"llama_kv_cache_seq_pos_{which}", number, pointer, number)
    if of_cache is None:
        return lambda sequence: -1
    return lambda sequence: int(of_cache(attached.pointer, sequence))
