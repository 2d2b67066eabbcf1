"""Whether what a KV cache holds of earlier passes is still the same."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import torch

from tracepact.core import native_core
from tracepact.types import Array

_PIECE: Final = 16
"""Positions that have one sum."""

LOOK_BACK: Final = 64
"""Positions of one layer that a pass looks at again, so that the cost does not grow."""

_BITS: Final = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}


class Layer(Protocol):
    """One layer of a cache; those of transformers are such."""

    @property
    def keys(self) -> torch.Tensor:
        """[1, kv heads, positions, head_dim], on the CPU; values likewise."""

    @property
    def values(self) -> torch.Tensor:
        """As `keys`."""


class CacheHistory:
    """Sums of the bits of keys and values, sixteen positions at a time.

    A prompt is summed when it has been written, in all layers; what tokens add, when it is their
    layer's turn. Only caches of one sequence that grow are looked at: beams are copied and put in
    another order, and windows slide, as they may.
    """

    def __init__(self) -> None:
        self._cache: weakref.ref[Any] | None = None
        self._sums: list[list[int]] = []
        self._used = 0
        self._turn = 0
        self._next: list[int] = []

    def is_of(self, cache: Any) -> bool:
        """Whether this is the cache that was looked at last."""
        return self._cache is not None and self._cache() is cache

    def look(self, cache: Any, layers: Sequence[Any], used: int, tokens: int) -> Array | None:
        """Positions (in pieces) that have changed, by layer [layers]; None where all is well.

        Args:
            cache: The cache, after a pass.
            layers: Of it, each a `Layer`.
            used: Positions that each of them has in use; 0 for a cache that is not looked at.
            tokens: That the pass has written.
        """
        if not used:
            self._cache = None
            return None
        if not self.is_of(cache) or len(self._sums) != len(layers) or used != self._used + tokens:
            self._begin(cache, layers, used)
            return None
        self._used = used
        index = self._turn % len(layers)
        self._turn += 1
        known, layer = self._sums[index], layers[index]
        start = self._next[index] if self._next[index] < len(known) else 0
        stop = min(len(known), start + LOOK_BACK // _PIECE)
        self._next[index] = stop
        pieces = used // _PIECE
        changed = 0
        if stop > start:
            found = _sums(layer, start, stop)
            if found != known[start:stop]:
                changed = sum(a != b for a, b in zip(found, known[start:stop], strict=True))
                known[start:stop] = found
        if pieces > len(known):
            known += _sums(layer, len(known), pieces)
        if not changed:
            return None
        overwritten = np.zeros(len(layers), np.int64)
        overwritten[index] = changed
        return overwritten

    def _begin(self, cache: Any, layers: Sequence[Any], used: int) -> None:
        try:
            self._cache = weakref.ref(cache)
        except TypeError:  # a tuple, which has no identity to rely on
            self._cache = None
            return
        self._used = used
        self._sums = [_sums(each, 0, used // _PIECE) for each in layers]
        self._next = [0] * len(layers)


def _sums(layer: Layer, start: int, stop: int) -> list[int]:
    """Of the pieces from `start` to `stop`; keys and values that change places are another sum."""
    native = native_core()
    if native is not None:
        found: list[int] | None = native.piece_sums(layer.keys, layer.values, start, stop, _PIECE)
        if found is not None:
            return found
    total = torch.zeros(stop - start, dtype=torch.int64)
    for tensor in (layer.keys, layer.values):
        part = tensor.detach()[0, :, start * _PIECE : stop * _PIECE]
        bits = part.view(_BITS[part.element_size()])
        shape = (bits.shape[0], stop - start, _PIECE * bits.shape[2])
        total = 31 * total + bits.reshape(shape).sum((0, 2))
    sums: list[int] = total.tolist()
    return sums
