"""MLT-05: what the KV cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tracepact.types import Array

TRACE: Final = "MLT-05"
EQUATION: Final = ("gpu-decode-profiling-v1", "kv_cache_utilization")


@dataclass(frozen=True, slots=True)
class KvCacheRecord:
    """The cache after one forward pass.

    Attributes:
        used: Positions in use.
        capacity: Positions there are.
        bytes_used: Bytes of the positions in use, keys and values of all layers.
        bytes_total: Bytes of the whole cache.
        evictions: Positions dropped so far.
        hit_rate: Share of the attended positions that came from the cache.
        oldest_position: Position of the oldest token still held.
        fragmentation: Share of the positions below the highest one in use that hold nothing.
        nonfinite: NaN or Inf among what this pass wrote.
        guard_writes: Elements written past the capacity, or over what earlier passes wrote.
    """

    used: int
    capacity: int
    bytes_used: int
    bytes_total: int
    evictions: int
    hit_rate: float
    oldest_position: int
    fragmentation: float
    nonfinite: int
    guard_writes: int

    @property
    def utilization(self) -> float:
        """Share of the capacity in use."""
        return self.used / self.capacity if self.capacity else 0.0


def fields(used: int, capacity: int, nonfinite: Array, guard_writes: Array) -> dict[str, Any]:
    """What the contract looks at; the arrays are [layers]."""
    return {
        "used": used,
        "capacity": capacity,
        "nonfinite": nonfinite,
        "guard_writes": guard_writes,
    }
