"""Bricks and passes on a clock that the tests set."""

from __future__ import annotations

import threading
from typing import Protocol

import pytest

from tracepact.errors import ConfigError
from tracepact.profiling.budget import BrickCost
from tracepact.profiling.profiler import BrickProfiler, Phase, SyncMode
from tracepact.profiling.samples import CallSamples
from tracepact.types import BrickId

pytestmark = pytest.mark.usefixtures("core")


class Clock(Protocol):
    """What the fixture `clock` is."""

    def __call__(self) -> int: ...

    def advance_us(self, microseconds: float) -> None: ...


@pytest.fixture
def profiler(clock: Clock) -> BrickProfiler:
    return BrickProfiler(clock=clock)


def _run(
    profiler: BrickProfiler,
    clock: Clock,
    brick: str,
    microseconds: float,
    layer: int | None = None,
    *,
    tokens: int = 1,
) -> None:
    profiler.start(brick, layer)
    clock.advance_us(microseconds)
    profiler.stop(brick, layer, tokens=tokens)


def _samples(
    profiler: BrickProfiler, brick: str, layer: int | None = None, phase: Phase = Phase.DECODE
) -> CallSamples:
    return profiler.samples[phase][layer, brick]


def test_brick_takes_the_time_between_start_and_stop(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.begin_forward()
    clock.advance_us(3)
    _run(profiler, clock, BrickId.RmsNorm, 5, layer=7)
    clock.advance_us(2)
    profiler.end_forward()
    assert _samples(profiler, "RmsNorm", 7).total_ns == 5_000
    assert profiler.passes[Phase.DECODE].wall_ns == 10_000
    assert profiler.passes[Phase.DECODE].count == 1


def test_any_string_names_a_brick(profiler: BrickProfiler, clock: Clock) -> None:
    _run(profiler, clock, "MyFusedKernel", 5)
    assert _samples(profiler, "MyFusedKernel").calls == 1


def test_known_brick_and_its_name_are_the_same(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.start(BrickId.LmHead)
    profiler.stop("LmHead")
    assert list(profiler.samples[Phase.DECODE]) == [(None, "LmHead")]


def test_nothing_is_counted_before_the_pass_ends(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.begin_forward()
    _run(profiler, clock, "A", 5)
    assert not profiler.samples[Phase.DECODE]
    profiler.end_forward()
    assert _samples(profiler, "A").calls == 1


def test_nested_brick_counts_once_towards_coverage(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.begin_forward()
    profiler.start("Attention")
    clock.advance_us(2)
    _run(profiler, clock, "AttentionScore", 5)
    _run(profiler, clock, "AttentionOutput", 3)
    profiler.stop("Attention")
    profiler.end_forward()
    outer = _samples(profiler, "Attention")
    assert (outer.total_ns, outer.own_ns) == (10_000, 2_000)
    covered = sum(samples.covered_ns for samples in profiler.samples[Phase.DECODE].values())
    assert covered == profiler.passes[Phase.DECODE].wall_ns == 10_000


def test_pass_with_a_brick_of_several_tokens_is_a_prefill(
    profiler: BrickProfiler, clock: Clock
) -> None:
    """All of it, also the LmHead that worked on the last token only."""
    profiler.begin_forward()
    _run(profiler, clock, "QkvProjection", 9, tokens=12)
    _run(profiler, clock, "LmHead", 1)
    profiler.end_forward()
    assert _samples(profiler, "LmHead", phase=Phase.PREFILL).calls == 1
    assert profiler.passes[Phase.PREFILL].count == 1
    assert profiler.passes[Phase.DECODE].count == 0


def test_brick_outside_a_pass_is_counted_and_covers_nothing(
    profiler: BrickProfiler, clock: Clock
) -> None:
    _run(profiler, clock, BrickId.Sampling, 4)
    assert _samples(profiler, "Sampling").total_ns == 4_000
    assert _samples(profiler, "Sampling").covered_ns == 0


def test_pass_inside_a_brick_leaves_that_brick_open(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.start("Generate")
    profiler.begin_forward()
    _run(profiler, clock, "A", 3)
    profiler.end_forward()
    profiler.stop("Generate")
    assert _samples(profiler, "Generate").total_ns == 3_000
    assert _samples(profiler, "Generate").own_ns == 0


def test_aborted_pass_leaves_no_figures(profiler: BrickProfiler, clock: Clock) -> None:
    """A kernel that raises leaves its brick open and the pass without an end."""
    profiler.begin_forward()
    _run(profiler, clock, "A", 100)
    profiler.start("B")
    profiler.begin_forward()
    _run(profiler, clock, "A", 1)
    profiler.end_forward()
    assert [brick for _, brick in profiler.samples[Phase.DECODE]] == ["A"]
    assert _samples(profiler, "A").total_ns == 1_000
    assert profiler.passes[Phase.DECODE].wall_ns == 1_000


def test_brick_that_was_left_open_inside_another_is_dropped(
    profiler: BrickProfiler, clock: Clock
) -> None:
    profiler.start("Outer")
    profiler.start("Aborted")
    clock.advance_us(5)
    profiler.stop("Outer")
    assert [brick for _, brick in profiler.samples[Phase.DECODE]] == ["Outer"]
    assert _samples(profiler, "Outer").own_ns == 5_000


def test_stop_without_start_names_what_is_open(profiler: BrickProfiler, clock: Clock) -> None:
    with pytest.raises(ConfigError, match=r"stop\('A', layer=None\) .* open bricks: none"):
        profiler.stop("A")
    profiler.start("A", 1)
    with pytest.raises(ConfigError, match=r"stop\('A', layer=2\) .* open bricks: A \(layer 1\)"):
        profiler.stop("A", 2)
    profiler.stop("A", 1)
    assert _samples(profiler, "A", 1).calls == 1


def test_end_without_begin_is_refused(profiler: BrickProfiler) -> None:
    with pytest.raises(ConfigError, match="end_forward"):
        profiler.end_forward()


def test_time_of_tracing_is_left_out_of_bricks_and_wall(
    profiler: BrickProfiler, clock: Clock
) -> None:
    profiler.begin_forward()
    profiler.start("Outer")
    _run(profiler, clock, "Inner", 5)
    clock.advance_us(100)
    profiler.exclude(100_000)
    profiler.stop("Outer")
    clock.advance_us(50)
    profiler.exclude(50_000)
    profiler.end_forward()
    assert _samples(profiler, "Outer").total_ns == 5_000
    assert profiler.passes[Phase.DECODE].wall_ns == 5_000


def test_cost_reaches_the_samples(profiler: BrickProfiler) -> None:
    profiler.start("A")
    profiler.stop("A", cost=BrickCost(8.0, 2.0, 1))
    assert _samples(profiler, "A").mean_cost() == BrickCost(8.0, 2.0, 1)


def test_cost_may_be_computed_after_the_clock_was_read(
    profiler: BrickProfiler, clock: Clock
) -> None:
    def cost() -> BrickCost:
        clock.advance_us(100)
        return BrickCost(8.0, 2.0, 1)

    profiler.start("A")
    clock.advance_us(5)
    profiler.stop("A", cost=cost)
    assert _samples(profiler, "A").total_ns == 5_000
    assert _samples(profiler, "A").mean_cost() == BrickCost(8.0, 2.0, 1)


def test_every_thread_has_its_own_pass(clock: Clock) -> None:
    """Two threads inside passes at the same time, their bricks interleaved."""
    profiler = BrickProfiler(clock=clock)
    barrier = threading.Barrier(2, timeout=10)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            profiler.begin_forward()
            for layer in range(50):
                profiler.start("A", layer)
                barrier.wait()
                profiler.stop("A", layer)
            profiler.end_forward()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not errors
    assert profiler.passes[Phase.DECODE].count == 2
    assert {samples.calls for samples in profiler.samples[Phase.DECODE].values()} == {2}


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


def test_without_a_device_times_are_true_in_every_mode(clock: Clock) -> None:
    assert all(BrickProfiler(sync=sync, clock=clock).times_are_true for sync in SyncMode)


def test_deferred_is_the_default(profiler: BrickProfiler) -> None:
    assert profiler.sync is SyncMode.DEFERRED


def test_layer_that_ran_nothing_is_not_waited_for(clock: Clock) -> None:
    device = Device(clock)
    profiler = BrickProfiler(sync=SyncMode.PER_LAYER, clock=clock, synchronize=device.synchronize)
    profiler.begin_forward()
    profiler.end_forward()
    assert device.waits == 1
    assert profiler.passes[Phase.DECODE].count == 1
