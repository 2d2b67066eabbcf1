"""What this machine is and what it can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tracepact.profiling.hardware_cache import load_measurements, store_measurements
from tracepact.profiling.machine import MachineFacts, describe_machine
from tracepact.profiling.measure_hardware import Measurements, measure_hardware


@dataclass(frozen=True, kw_only=True)
class HardwareCapability(MachineFacts, Measurements):
    """Facts and measured figures of a machine; both bases document their fields."""

    @classmethod
    def detect(
        cls,
        *,
        refresh: bool = False,
        facts: MachineFacts | None = None,
        measure: Callable[..., Measurements] | None = None,
    ) -> Self:
        """Describe this machine.

        Measuring takes up to three seconds the first time; the figures are then kept in the
        user's cache folder, by processor, cores, memory, NumPy, BLAS and its threads.

        Args:
            refresh: measure again even if there are figures of an earlier run.
            facts: what figures are kept by; those of NumPy and its BLAS by default.
            measure: what a library reaches, as `measure_hardware` does it with NumPy.
        """
        facts = facts or describe_machine()
        measured = None if refresh else load_measurements(facts)
        if measured is None:
            measured = (measure or measure_hardware)(
                last_level_cache_bytes=facts.l3_bytes or facts.l2_bytes
            )
            store_measurements(facts, measured)
        return cls(**vars(facts), **vars(measured))
