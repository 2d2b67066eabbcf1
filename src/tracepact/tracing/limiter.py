"""Caps how often one and the same violation is exported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable

_MAX_KEYS = 10_000
_OVERFLOW = "further keys"


class Limiter:
    """Lets the first occurrences of a key through, later ones at a bounded rate.

    Not thread-safe by itself; the layer holds a lock around it. Memory is bounded: beyond 10 000
    keys the rest share one.
    """

    def __init__(self, keep_first: int, per_second: float) -> None:
        self.keep_first = keep_first
        self.interval_ns = int(1e9 / per_second) if per_second > 0 else None
        self.seen: Counter[Hashable] = Counter()
        self.suppressed: Counter[Hashable] = Counter()
        self._last_ns: dict[Hashable, int] = {}

    def admit(self, key: Hashable, *, limit: int | None = None) -> bool:
        """Whether this occurrence is exported.

        Args:
            key: What makes two violations the same.
            limit: Export at most this many, ever.
        """
        if key not in self.seen and len(self.seen) >= _MAX_KEYS:
            key = _OVERFLOW
        self.seen[key] += 1
        admitted = self.seen[key] <= (self.keep_first if limit is None else limit)
        if not admitted and limit is None and self.interval_ns is not None:
            admitted = time.monotonic_ns() - self._last_ns.get(key, 0) >= self.interval_ns
        if admitted:
            self._last_ns[key] = time.monotonic_ns()
        else:
            self.suppressed[key] += 1
        return admitted
