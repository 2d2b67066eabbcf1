"""Whether what a KV cache holds of earlier passes is still the same."""

from __future__ import annotations

import weakref
from typing import Any, Final, Protocol

import numpy as np
import torch

from tracepact.types import Array

_PIECE: Final = 16
"""Positions that have one sum."""

LOOK_BACK: Final = 128
"""Positions of one layer that a pass looks at again, so that the cost does not grow."""

_BITS: Final = {8: torch.int64, 4: torch.int32, 2: torch.int16}


class Held(Protocol):
    """One layer of a cache."""

    @property
    def keys(self) -> torch.Tensor:
        """[batch, kv heads, positions, head_dim]; values likewise."""

    @property
    def values(self) -> torch.Tensor:
        """As `keys`."""

    @property
    def used(self) -> int:
        """Positions in use."""


class CacheHistory:
    """Sums of the bits of keys and values, sixteen positions at a time.

    A prompt is summed when it has been written, in all layers; what tokens add, when it is their
    layer's turn. Only caches of one sequence that grow are looked at: beams are copied and put in
    another order, and windows slide, as they may.
    """

    def __init__(self) -> None:
        self._cache: weakref.ref[Any] | None = None
        self._sums: list[torch.Tensor] = []
        self._used = 0
        self._turn = 0
        self._next: list[int] = []

    def look(self, cache: Any, held: list[Any], tokens: int) -> Array | None:
        """Positions (in pieces) that have changed, by layer [layers]; None where all is well.

        Args:
            cache: The cache, after a pass.
            held: Its layers, `Held`.
            tokens: That the pass has written.
        """
        if not held or any(_is_left_out(each) for each in held):
            self._cache = None
            return None
        is_same = self._cache is not None and self._cache() is cache
        if not is_same or len(self._sums) != len(held) or held[0].used != self._used + tokens:
            self._begin(cache, held)
            return None
        self._used = held[0].used
        layer = self._turn % len(held)
        self._turn += 1
        known, now = self._sums[layer], held[layer]
        start = self._next[layer] if self._next[layer] < len(known) else 0
        stop = min(len(known), start + LOOK_BACK // _PIECE)
        self._next[layer] = stop
        found = _sums(now, start, stop)
        changed = int((found != known[start:stop]).sum()) if stop > start else 0
        known[start:stop] = found
        pieces = now.used // _PIECE
        if pieces > len(known):
            self._sums[layer] = torch.cat([known, _sums(now, len(known), pieces)])
        if not changed:
            return None
        overwritten = np.zeros(len(held), np.int64)
        overwritten[layer] = changed
        return overwritten

    def _begin(self, cache: Any, held: list[Any]) -> None:
        try:
            self._cache = weakref.ref(cache)
        except TypeError:  # a tuple, which has no identity to rely on
            self._cache = None
            return
        self._used = held[0].used
        self._sums = [_sums(each, 0, each.used // _PIECE) for each in held]
        self._next = [0] * len(held)


def _is_left_out(held: Held) -> bool:
    keys = held.keys
    is_whole = keys.shape[2] >= held.used and held.values.shape[2] >= held.used
    return keys.shape[0] != 1 or keys.device.type != "cpu" or not is_whole


def _sums(held: Held, start: int, stop: int) -> torch.Tensor:
    """Of the pieces from `start` to `stop`, int64 [pieces]."""
    total = torch.zeros(stop - start, dtype=torch.int64)
    for tensor in (held.keys, held.values):
        part = tensor.detach()[0, :, start * _PIECE : stop * _PIECE]
        bits = part.view(_BITS[part.element_size()])
        shape = (bits.shape[0], stop - start, _PIECE * bits.shape[2])
        # Keys and values that have changed places are another sum.
        total = 31 * total + bits.reshape(shape).sum((0, 2))
    return total
