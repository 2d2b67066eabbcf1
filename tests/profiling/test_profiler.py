"""Bricks and passes on a clock that the tests set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

import pytest

from tracepact.errors import ConfigError
from tracepact.profiling.budget import BrickCost, GrowingCost
from tracepact.profiling.profiler import BrickProfiler, Phase
from tracepact.profiling.samples import WINDOW, CallSamples
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


def test_growing_cost_is_that_of_the_size_of_each_call(profiler: BrickProfiler) -> None:
    """Bytes add up exactly over all calls, the mean looks at the last ones."""
    cost = GrowingCost(BrickCost(1e9 + 1, 100, 7), BrickCost(3, 2, 0))
    sizes = range(1, 3 * WINDOW)
    for size in sizes:
        profiler.start("AttentionScore", 0)
        profiler.stop("AttentionScore", 0, cost=cost, size=size)
    samples = _samples(profiler, "AttentionScore", 0)
    assert samples.bytes_moved == sum(cost.at(size).bytes_moved for size in sizes)
    mean, calls = samples.mean_cost(), len(samples.recent_us())
    assert mean is not None
    assert mean.flops == pytest.approx(100 + 2 * sum(sizes[-calls:]) / calls)
    assert mean.launches == 7


def test_costs_of_one_brick_may_change_from_call_to_call(profiler: BrickProfiler) -> None:
    costs = [BrickCost(10.0**each, 1.0, 1) for each in range(5)]
    for _ in range(3):
        for cost in costs:
            profiler.start("QkNorm", 0)
            profiler.stop("QkNorm", 0, cost=cost)
    assert _samples(profiler, "QkNorm", 0).bytes_moved == 3 * 11111.0


def test_function_may_give_a_growing_cost_or_none(profiler: BrickProfiler) -> None:
    step = BrickCost(2.0, 0.0, 0)
    profiler.start("A")
    profiler.stop("A", cost=lambda: GrowingCost(BrickCost(1.0, 1.0, 1), step), size=4)
    assert _samples(profiler, "A").bytes_moved == 9.0
    profiler.start("A")
    profiler.stop("A", cost=lambda: None)  # type: ignore[arg-type,return-value]
    assert _samples(profiler, "A").mean_cost() is None


def test_function_of_a_cost_may_time_bricks_itself(profiler: BrickProfiler, clock: Clock) -> None:
    def cost() -> BrickCost:
        for layer in range(200):
            _run(profiler, clock, "Inside", 1, layer)
        return BrickCost(8.0, 2.0, 1)

    profiler.begin_forward()
    profiler.start("A")
    profiler.stop("A", cost=cost)
    profiler.end_forward()
    assert _samples(profiler, "A").mean_cost() == BrickCost(8.0, 2.0, 1)
    assert len(profiler.samples[Phase.DECODE]) == 201


def test_function_of_a_cost_that_fails_loses_that_call_only(
    profiler: BrickProfiler, clock: Clock
) -> None:
    profiler.begin_forward()
    profiler.start("A")
    with pytest.raises(ZeroDivisionError):
        profiler.stop("A", cost=lambda: BrickCost(1 / 0, 0, 0))
    _run(profiler, clock, "A", 3)
    profiler.end_forward()
    assert _samples(profiler, "A").calls == 1


def test_time_since_a_stop_can_be_left_out(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.begin_forward()
    profiler.start("A")
    ended = profiler.stop("A")
    clock.advance_us(7)
    assert profiler.exclude_since(ended) == 7_000
    began = profiler.now()
    clock.advance_us(2)
    assert profiler.exclude_since(began) == 2_000
    clock.advance_us(1)
    profiler.end_forward()
    assert profiler.passes[Phase.DECODE].wall_ns == 1_000


def test_names_and_layers_are_compared_by_value(profiler: BrickProfiler) -> None:
    """Objects that are equal and not the same, thousands of them."""
    for number in range(3_000):
        profiler.start("".join(("A", "B")), int(f"{number % 2}00000"))
        profiler.stop("".join(("A", "B")), int(f"{number % 2}00000"))
    calls = {key: each.calls for key, each in profiler.samples[Phase.DECODE].items()}
    assert calls == {(0, "AB"): 1_500, (100_000, "AB"): 1_500}


def test_samples_are_in_the_order_in_which_bricks_first_ended(profiler: BrickProfiler) -> None:
    profiler.start("Outer")
    for brick in ("B", "A", "B"):
        profiler.start(brick)
        profiler.stop(brick)
    profiler.stop("Outer")
    assert [brick for _, brick in profiler.samples[Phase.DECODE]] == ["B", "A", "Outer"]


def test_names_are_plain_strings(profiler: BrickProfiler) -> None:
    profiler.start(BrickId.LmHead)
    profiler.stop(BrickId.LmHead)
    assert {type(brick) for _, brick in profiler.samples[Phase.DECODE]} == {str}


def test_times_look_back_on_the_last_calls(profiler: BrickProfiler, clock: Clock) -> None:
    calls = 3 * WINDOW + 100
    profiler.begin_forward()
    for number in range(calls):
        _run(profiler, clock, "A", number)
    profiler.end_forward()
    recent = _samples(profiler, "A").recent_us()
    assert recent.tolist() == list(range(calls - len(recent), calls))
    assert len(recent) >= WINDOW
    assert _samples(profiler, "A").total_ns == sum(range(calls)) * 1_000


def test_pass_may_be_of_any_length_and_depth(profiler: BrickProfiler, clock: Clock) -> None:
    profiler.begin_forward()
    for layer in range(1_000):
        profiler.start("Nested", layer)
        clock.advance_us(1)
    for _ in range(50_000):
        profiler.start("Innermost")
        profiler.stop("Innermost")
    for layer in reversed(range(1_000)):
        profiler.stop("Nested", layer)
    profiler.end_forward()
    assert _samples(profiler, "Innermost").calls == 50_000
    assert [_samples(profiler, "Nested", layer).total_ns for layer in (0, 999)] == [10**6, 1_000]
    assert {_samples(profiler, "Nested", layer).own_ns for layer in range(1_000)} == {1_000}


def test_kernel_that_raises_leaves_the_next_pass_alone(
    profiler: BrickProfiler, clock: Clock
) -> None:
    def forward(divisor: int) -> None:
        profiler.begin_forward()
        profiler.start("Outer")
        profiler.start("A")
        clock.advance_us(1 // divisor)
        profiler.stop("A")
        profiler.stop("Outer")
        profiler.end_forward()

    with pytest.raises(ZeroDivisionError):
        forward(0)
    forward(1)
    assert {each.calls for each in profiler.samples[Phase.DECODE].values()} == {1}


def test_brick_of_an_abandoned_generator_is_dropped(profiler: BrickProfiler, clock: Clock) -> None:
    def tokens() -> Iterator[int]:
        for token in range(3):
            profiler.start("Yielded")
            clock.advance_us(1)
            yield token
            profiler.stop("Yielded")

    profiler.start("Generate")
    generator = tokens()
    assert [next(generator), next(generator)] == [0, 1]
    generator.close()
    profiler.stop("Generate")
    assert _samples(profiler, "Yielded").calls == 1
    assert _samples(profiler, "Generate").total_ns == 2_000


def test_clock_that_fails_is_not_hidden() -> None:
    def clock() -> int:
        raise OSError("no clock")

    profiler = BrickProfiler(clock=clock)
    for call in (lambda: profiler.start("A"), profiler.begin_forward, profiler.now):
        with pytest.raises(OSError, match="no clock"):
            call()


def test_misspelt_arguments_are_refused(profiler: BrickProfiler) -> None:
    profiler.start(brick="A", layer=3)
    with pytest.raises(TypeError, match="coast"):
        profiler.stop("A", 3, coast=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        profiler.stop("A", 3, None)  # type: ignore[misc]
    with pytest.raises(TypeError, match="brick"):
        profiler.start("A", brick="B")  # type: ignore[misc]
    with pytest.raises(TypeError, match="brick"):
        profiler.start()  # type: ignore[call-arg]
    profiler.stop(layer=3, tokens=2, brick="A")
    assert _samples(profiler, "A", 3, Phase.PREFILL).calls == 1


def test_state_of_a_thread_ends_with_the_thread(profiler: BrickProfiler, clock: Clock) -> None:
    """What one left open is not seen by the next, whatever its identity."""

    def leave_open() -> None:
        profiler.begin_forward()
        profiler.start("Open")

    for _ in range(50):
        thread = threading.Thread(target=leave_open)
        thread.start()
        thread.join(timeout=10)
    _run(profiler, clock, "A", 1)
    assert list(profiler.samples[Phase.DECODE]) == [(None, "A")]


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


def test_core_decides_which_profiler_serves(core: str) -> None:
    natively = type(BrickProfiler()) is not BrickProfiler
    assert natively is (core == "native")
