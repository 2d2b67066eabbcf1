"""Who waits for a device, and whose time that is."""

from __future__ import annotations

from typing import Protocol

import pytest

from tracepact.profiling.profiler import BrickProfiler, Phase, SyncMode

pytestmark = pytest.mark.usefixtures("core")


class Clock(Protocol):
    """What the fixture `clock` is."""

    def __call__(self) -> int: ...

    def advance_us(self, microseconds: float) -> None: ...


class Device:
    """Work that is started at once and done only when somebody waits for it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.queued_us = 0.0
        self.waits = 0

    def launch(self, microseconds: float) -> None:
        self.clock.advance_us(1)
        self.queued_us += microseconds

    def synchronize(self) -> None:
        self.waits += 1
        self.clock.advance_us(self.queued_us)
        self.queued_us = 0.0


@pytest.mark.parametrize(
    ("sync", "waits", "times_us", "wall_us", "true_times"),
    [
        (SyncMode.IMMEDIATE, 5, [11, 21, 31, 41], 104, True),
        (SyncMode.PER_LAYER, 2, [1, 31, 1, 71], 104, True),
        (SyncMode.DEFERRED, 1, [1, 1, 1, 1], 104, False),
        (SyncMode.NONE, 0, [1, 1, 1, 1], 4, False),
    ],
)
def test_sync_mode_decides_who_waits_for_the_device(
    clock: Clock,
    sync: SyncMode,
    waits: int,
    times_us: list[int],
    wall_us: int,
    true_times: bool,
) -> None:
    device = Device(clock)
    profiler = BrickProfiler(sync=sync, clock=clock, synchronize=device.synchronize)
    profiler.begin_forward()
    for (layer, brick), work_us in zip(
        [(0, "A"), (0, "B"), (1, "A"), (1, "B")], [10, 20, 30, 40], strict=True
    ):
        profiler.start(brick, layer)
        device.launch(work_us)
        profiler.stop(brick, layer)
    profiler.end_forward()
    assert device.waits == waits
    assert [
        samples.total_ns / 1e3 for samples in profiler.samples[Phase.DECODE].values()
    ] == times_us
    assert profiler.passes[Phase.DECODE].wall_ns / 1e3 == wall_us
    assert profiler.times_are_true is true_times


def test_profiler_with_a_device_is_the_one_in_python(clock: Clock) -> None:
    profiler = BrickProfiler(clock=clock, synchronize=Device(clock).synchronize)
    assert type(profiler) is BrickProfiler


def test_without_a_device_times_are_true_in_every_mode(clock: Clock) -> None:
    assert all(BrickProfiler(sync=sync, clock=clock).times_are_true for sync in SyncMode)


def test_deferred_is_the_default() -> None:
    assert BrickProfiler().sync is SyncMode.DEFERRED


def test_layer_that_ran_nothing_is_not_waited_for(clock: Clock) -> None:
    device = Device(clock)
    profiler = BrickProfiler(sync=SyncMode.PER_LAYER, clock=clock, synchronize=device.synchronize)
    profiler.begin_forward()
    profiler.end_forward()
    assert device.waits == 1
    assert profiler.passes[Phase.DECODE].count == 1
