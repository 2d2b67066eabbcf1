"""Keys and values of the positions that a model has seen."""

from __future__ import annotations

from typing import Final

import numpy as np

from tracepact.enforce import contract
from tracepact.errors import ConfigError
from tracepact.types import Array

GUARD_POSITIONS: Final = 1
"""Positions past the capacity that must stay zero: a write there is an overflow by definition."""


class KvCache:
    """One sequence's keys and values, float32 [layers, kv_heads, capacity + guard, head_dim].

    Attributes:
        keys: all keys; positions from `capacity` on are the guard.
        values: all values, likewise.
        capacity: positions that may be used.
        used: positions that hold a token which every layer has seen.

    Raises:
        ConfigError: a size is not positive, or there is not enough memory.
    """

    def __init__(self, layers: int, capacity: int, kv_heads: int, head_dim: int) -> None:
        shape = (layers, kv_heads, capacity + GUARD_POSITIONS, head_dim)
        if min(layers, capacity, kv_heads, head_dim) < 1:
            raise ConfigError(f"every size of a KV cache must be at least 1, got {shape}")
        try:
            self.keys: Array = np.zeros(shape, dtype=np.float32)
            self.values: Array = np.zeros(shape, dtype=np.float32)
        except (MemoryError, ValueError):
            raise ConfigError(
                f"no memory for a KV cache of {capacity} positions, {kv_heads} heads and "
                f"{layers} layers; pass a smaller context_length"
            ) from None
        self.capacity = capacity
        self.used = 0

    @property
    def bytes(self) -> int:
        """Bytes of the whole cache, guard included."""
        return self.keys.nbytes + self.values.nbytes

    def require(self, position: int, tokens: int) -> None:
        """Refuse positions that the cache does not have.

        Raises:
            ConfigError: `position` … `position + tokens` leaves [0, capacity].
        """
        if position < 0 or position + tokens > self.capacity:
            raise ConfigError(
                f"positions {position}…{position + tokens - 1} do not fit into a KV cache of "
                f"{self.capacity}; generate fewer tokens or load with a larger context_length"
            )

    @contract("kv-cache-equivalence-v1", "append")
    def write_keys(self, *, x: Array, layer: int, position: int) -> Array:
        """Store keys x [T, KV, hd]; returns what the cache now holds there, as a view."""
        return self._write(self.keys, x, layer, position)

    @contract("kv-cache-equivalence-v1", "append")
    def write_values(self, *, x: Array, layer: int, position: int) -> Array:
        """Store values x [T, KV, hd]; returns what the cache now holds there, as a view."""
        return self._write(self.values, x, layer, position)

    def append(self, layer: int, position: int, k: Array, v: Array) -> None:
        """Store keys and values [T, KV, hd] of one layer and count their positions as used.

        Raises:
            ConfigError: they do not fit; nothing has been written then.
        """
        self.write_keys(x=k, layer=layer, position=position)
        self.write_values(x=v, layer=layer, position=position)
        self.used = max(self.used, position + len(k))

    def reset(self) -> None:
        """Forget every position and clear the guard; what is stale is overwritten before use."""
        self.keys[:, :, self.capacity :] = 0.0
        self.values[:, :, self.capacity :] = 0.0
        self.used = 0

    def _write(self, store: Array, x: Array, layer: int, position: int) -> Array:
        self.require(position, len(x))
        held: Array = store[layer, :, position : position + len(x)].transpose(1, 0, 2)
        held[...] = x
        return held
