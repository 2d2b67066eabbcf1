"""Times and costs of the calls of one brick."""

from __future__ import annotations

from array import array
from struct import Struct
from typing import Final, Self

import numpy as np

from tracepact.profiling.budget import BrickCost
from tracepact.types import FloatArray

WINDOW: Final = 512
"""Calls that medians and percentiles look back on, so that a server's memory stays bounded."""

_COLUMNS: Final = 4
_pack = Struct(f"{_COLUMNS}d").pack  # elapsed ns, bytes, flops, launches
_NO_COST: Final = BrickCost(float("nan"), float("nan"), 0)


class CallSamples:
    """Running totals over all calls, and the last `WINDOW` calls one by one."""

    __slots__ = ("_window", "bytes_moved", "calls", "covered_ns", "own_ns", "total_ns")

    def __init__(self) -> None:
        self.calls = 0
        self.total_ns = 0
        self.own_ns = 0
        self.covered_ns = 0
        self.bytes_moved = 0.0
        self._window = array("d")

    @classmethod
    def of(
        cls,
        calls: int,
        total_ns: int,
        own_ns: int,
        covered_ns: int,
        bytes_moved: float,
        window: bytes,
    ) -> Self:
        """What the native timer has counted.

        Args:
            calls: all of them.
            total_ns: time from start to stop.
            own_ns: the part of it that no nested brick took.
            covered_ns: the part of that which ran inside forward passes.
            bytes_moved: of the calls whose cost is known.
            window: the last calls, oldest first, four float64 each: elapsed nanoseconds, bytes,
                flops, launches; NaN where no cost is known.
        """
        samples = cls()
        samples.calls = calls
        samples.total_ns = total_ns
        samples.own_ns = own_ns
        samples.covered_ns = covered_ns
        samples.bytes_moved = bytes_moved
        samples._window.frombytes(window)
        return samples

    def add(self, elapsed_ns: int, own_ns: int, cost: BrickCost | None, *, in_pass: bool) -> None:
        """Count one call.

        Args:
            elapsed_ns: from start to stop.
            own_ns: the part of it that no nested brick took.
            cost: what the call did; None if the producer does not say.
            in_pass: whether it ran inside a forward pass, and so is part of its wall time.
        """
        self.calls += 1
        self.total_ns += elapsed_ns
        self.own_ns += own_ns
        if in_pass:
            self.covered_ns += own_ns
        if cost is None:
            cost = _NO_COST
        else:
            self.bytes_moved += cost.bytes_moved
        window = self._window
        # Half of the time of `extend`, and this runs for every brick of every token.
        window.frombytes(_pack(elapsed_ns, cost.bytes_moved, cost.flops, cost.launches))
        if len(window) >= 2 * WINDOW * _COLUMNS:
            del window[: -WINDOW * _COLUMNS]

    def merge(self, other: CallSamples) -> None:
        """Add the calls of `other`, for example of the same brick in another layer."""
        self.calls += other.calls
        self.total_ns += other.total_ns
        self.own_ns += other.own_ns
        self.covered_ns += other.covered_ns
        self.bytes_moved += other.bytes_moved
        self._window.extend(other._window)

    def recent_us(self) -> FloatArray:
        """Elapsed microseconds of the calls in the window, [calls] float64."""
        recent: FloatArray = self._recent()[:, 0] / 1e3
        return recent

    def mean_cost(self) -> BrickCost | None:
        """Mean cost of the calls in the window; None if one of them has no cost.

        Costs vary from call to call (attention grows with the position), so a median time may only
        be compared with costs of the same calls.
        """
        costs = self._recent()[:, 1:]
        if np.isnan(costs).any():
            return None
        bytes_moved, flops, launches = costs.mean(axis=0)
        return BrickCost(float(bytes_moved), float(flops), round(launches))

    def _recent(self) -> FloatArray:
        # A copy: a view would forbid the array to grow.
        return np.array(self._window).reshape(-1, _COLUMNS)
