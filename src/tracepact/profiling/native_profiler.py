"""The profiler whose `start` and `stop` are in C; import it only where the native core is built."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tracepact.core._native import BrickTimer
from tracepact.errors import ConfigError
from tracepact.profiling.profiler import BrickKey, BrickProfiler, Passes, Phase, SyncMode
from tracepact.profiling.samples import CallSamples

if TYPE_CHECKING:
    from tracepact.tracing import ContractTracingLayer

_PHASES = tuple(enumerate(Phase))  # the timer counts them in this order


class NativeBrickProfiler(BrickTimer, BrickProfiler):
    """A `BrickProfiler` without a device to wait for; `BrickTimer` has what runs often.

    Args:
        layer: the tracing layer that findings about this profile go to.
        sync: as of `BrickProfiler`; all modes are the same here.
        clock: nanoseconds, monotonic, below 2**63; the default stands for the TSC where that is
            invariant, else for CLOCK_MONOTONIC.
        synchronize: None.

    Raises:
        ConfigError: `synchronize` is given.
    """

    def __init__(
        self,
        layer: ContractTracingLayer | None = None,
        *,
        sync: SyncMode = SyncMode.DEFERRED,
        clock: Callable[[], int] = time.perf_counter_ns,
        synchronize: Callable[[], None] | None = None,
    ) -> None:
        if synchronize is not None:
            raise ConfigError("the native profiler waits for no device; use BrickProfiler")
        BrickTimer.__init__(self, None if clock is time.perf_counter_ns else clock)
        self.layer = layer
        self.sync = sync
        self.times_are_true = True

    @property
    def samples(self) -> dict[Phase, dict[BrickKey, CallSamples]]:
        """Calls by phase, then by layer and brick: a copy, 16 KB a brick and layer."""
        return {
            phase: {key: CallSamples.of(*figures) for key, figures in self._counted(index)}
            for index, phase in _PHASES
        }

    @property
    def passes(self) -> dict[Phase, Passes]:
        """Forward passes by phase: a copy."""
        return {phase: Passes(*self._counted_passes(index)) for index, phase in _PHASES}
