"""Both cores, a clock that tests set, and hardware with round figures."""

from __future__ import annotations

import importlib.util

import pytest

from tracepact.core import CoreChoice
from tracepact.profiling import HardwareCapability, profiler

BUILT = importlib.util.find_spec("tracepact.core._native") is not None


@pytest.fixture(
    params=["python", pytest.param("native", marks=pytest.mark.skipif(not BUILT, reason="no C"))]
)
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The core that `BrickProfiler(...)` picks, each in turn."""
    choice = CoreChoice(request.param, "the test says so")
    monkeypatch.setattr(profiler, "selected_core", lambda: choice)
    return choice.name


class FakeClock:
    """Nanoseconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000

    def __call__(self) -> int:
        return self.now_ns

    def advance_us(self, microseconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(microseconds * 1e3)


@pytest.fixture
def clock() -> FakeClock:
    """Starts anywhere but at zero."""
    return FakeClock()


@pytest.fixture
def hardware() -> HardwareCapability:
    """100 GB/s, 1000 GFLOP/s, 1 µs a call, never cold."""
    return HardwareCapability(
        cpu_model="Test CPU",
        physical_cores=1,
        logical_cores=1,
        memory_bandwidth_gbps=100.0,
        matmul_gflops=1000.0,
        launch_overhead_us=1.0,
        cold_start_us=0.0,
    )
