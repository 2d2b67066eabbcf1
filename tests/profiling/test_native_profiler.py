"""The native profiler against the one in Python, and what only C can get wrong."""

from __future__ import annotations

import gc
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.errors import ConfigError
from tracepact.profiling import BrickCost, GrowingCost, Phase
from tracepact.profiling.profiler import BrickProfiler
from tracepact.profiling.samples import WINDOW
from tracepact.types import BrickId

pytest.importorskip("tracepact.core._native", reason="the native core is not built")
from tracepact.profiling import native_profiler
from tracepact.profiling.native_profiler import NativeBrickProfiler

BRICKS = st.sampled_from([BrickId.RmsNorm, "RmsNorm", "A", "B"])
LAYERS = st.sampled_from([None, 0, 1, 10**6])
COSTS = st.sampled_from(
    [
        None,
        BrickCost(3.0, 2.0, 1),
        BrickCost(float("nan"), 2.0, 1),
        GrowingCost(BrickCost(5.0, 7.0, 2), BrickCost(11.0, 13.0, 1)),
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("start"), BRICKS, LAYERS),
    st.tuples(st.just("stop"), BRICKS, LAYERS, COSTS, st.integers(1, 2), st.integers(0, 9)),
    st.tuples(st.just("exclude"), st.integers(0, 50)),
    st.tuples(st.sampled_from(["begin_forward", "end_forward"])),
    st.tuples(st.just("pair"), BRICKS, LAYERS),
)


class _Clock:
    """One tick more at each look."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 1000
        return self.now_ns


def _outcome(profiler: BrickProfiler, step: tuple[Any, ...]) -> object:
    name, *rest = step
    try:
        match name:
            case "stop":
                brick, layer, cost, tokens, size = rest
                return profiler.stop(brick, layer, cost=cost, tokens=tokens, size=size)
            case "pair":
                profiler.start(*rest)
                return profiler.stop(*rest)
            case _:
                return getattr(profiler, name)(*rest)
    except ConfigError as error:
        return str(error)


def _figures(profiler: BrickProfiler) -> str:
    """All there is to read; as text, in which NaN equals itself."""
    return repr(
        [
            (
                (phase, profiler.passes[phase].count, profiler.passes[phase].wall_ns),
                [
                    (key, each.calls, each.total_ns, each.own_ns, each.covered_ns)
                    + (each.bytes_moved, each.recent_us().tolist(), each.mean_cost())
                    for key, each in profiler.samples[phase].items()
                ],
            )
            for phase in Phase
        ]
    )


@given(st.lists(STEPS, max_size=60))
def test_both_cores_agree_on_every_sequence_of_calls(steps: list[tuple[Any, ...]]) -> None:
    python = _Python(clock=_Clock())
    native = NativeBrickProfiler(clock=_Clock())
    for step in steps:
        assert _outcome(native, step) == _outcome(python, step)
    assert _figures(native) == _figures(python)


class _Python(BrickProfiler):
    """A subclass, and so in Python whichever core serves."""


def test_ticks_are_read_as_nanoseconds() -> None:
    """The default clock against another one that was read just inside and just outside."""
    profiler = NativeBrickProfiler()
    before = time.perf_counter_ns()
    profiler.begin_forward()
    profiler.start("A")
    inside = time.perf_counter_ns()
    time.sleep(0.02)
    inside = time.perf_counter_ns() - inside
    profiler.stop("A")
    profiler.end_forward()
    outside = time.perf_counter_ns() - before
    total_ns = profiler.samples[Phase.DECODE][None, "A"].total_ns
    assert inside * 0.999 <= total_ns <= profiler.passes[Phase.DECODE].wall_ns <= outside * 1.001


def test_time_since_a_moment_is_in_nanoseconds() -> None:
    profiler = NativeBrickProfiler()
    before = time.perf_counter_ns()
    began = profiler.now()
    time.sleep(0.02)
    assert 19e6 <= profiler.exclude_since(began) <= (time.perf_counter_ns() - before) * 1.001


def test_excluded_nanoseconds_leave_the_wall() -> None:
    """An hour in a pass that took next to nothing."""
    profiler = NativeBrickProfiler()
    profiler.begin_forward()
    profiler.exclude(3600 * 10**9)
    profiler.end_forward()
    assert profiler.passes[Phase.DECODE].wall_ns == pytest.approx(-3600e9, rel=1e-3)


def test_window_has_the_length_that_it_says() -> None:
    profiler = NativeBrickProfiler()
    for _ in range(2 * WINDOW + 1):
        profiler.start("A")
        profiler.stop("A")
    assert len(profiler.samples[Phase.DECODE][None, "A"].recent_us()) == WINDOW


def test_native_profiler_has_no_device() -> None:
    with pytest.raises(ConfigError, match="waits for no device"):
        NativeBrickProfiler(synchronize=lambda: None)


def _growth_bytes(work: Callable[[], object]) -> int:
    """What this file and the profiler still hold of the work's second half, the first warmed up.

    Other threads of the test process allocate what they like meanwhile.
    """
    work()
    gc.collect()
    ours = [tracemalloc.Filter(True, each) for each in (__file__, native_profiler.__file__)]
    tracemalloc.start()
    try:
        work()
        gc.collect()
        held = tracemalloc.take_snapshot().filter_traces(ours)
    finally:
        tracemalloc.stop()
    return sum(each.size for each in held.traces)


def test_a_million_bricks_leave_nothing_behind() -> None:
    profiler = NativeBrickProfiler()
    brick, layer, cost = "".join(("Some", "Brick")), int("12345"), BrickCost(1.0, 1.0, 1)

    def work() -> None:
        for _ in range(500):
            profiler.begin_forward()
            for _ in range(1_000):
                profiler.start(brick, layer)
                profiler.stop(brick, layer, cost=cost)
            profiler.end_forward()

    work()
    counts = [sys.getrefcount(each) for each in (brick, layer, cost)]
    assert _growth_bytes(work) < 5_000  # 16 bytes a pass would be 8 000, a byte a brick 500 000
    assert [sys.getrefcount(each) for each in (brick, layer, cost)] == counts


def test_names_made_anew_for_each_call_do_not_fill_the_memory() -> None:
    profiler = NativeBrickProfiler()

    def work() -> None:
        for number in range(50_000):
            layer = 1_000 + number % 7
            profiler.start("".join(("Some", "Brick")), layer)
            profiler.stop("".join(("Some", "Brick")), layer)

    assert _growth_bytes(work) < 2_000_000


def test_costs_made_anew_for_each_call_are_let_go() -> None:
    profiler = NativeBrickProfiler()
    costs: list[weakref.ref[_WeakCost]] = []
    for number in range(10):
        cost = _WeakCost(number)
        costs.append(weakref.ref(cost))
        profiler.start("A")
        profiler.stop("A", cost=cost)  # type: ignore[arg-type]
    del cost
    assert sum(each() is not None for each in costs) == 2
    assert profiler.samples[Phase.DECODE][None, "A"].bytes_moved == sum(range(10))


class _WeakCost:
    """Like a BrickCost, and one can see whether it still lives."""

    flops = launches = 1

    def __init__(self, bytes_moved: float) -> None:
        self.bytes_moved = bytes_moved


def test_threads_that_ended_leave_no_state() -> None:
    profiler = NativeBrickProfiler()

    def run(target: Callable[..., object], *args: object) -> None:
        for _ in range(100):
            thread = threading.Thread(target=target, args=args)
            thread.start()
            thread.join(timeout=10)

    # What measures coverage remembers threads too.
    of_threads_alone = _growth_bytes(lambda: run(str, "Open"))
    grown = _growth_bytes(lambda: run(profiler.start, "Open"))
    assert grown - of_threads_alone < 50_000  # a state takes 1.6 KB


def test_profiler_may_end_before_a_thread_that_used_it() -> None:
    profiler: NativeBrickProfiler | None = NativeBrickProfiler()
    used, go_on = threading.Event(), threading.Event()

    def work(profiler: NativeBrickProfiler) -> None:
        profiler.start("Open")
        del profiler
        used.set()
        go_on.wait(timeout=10)

    arguments = [profiler]
    thread = threading.Thread(target=lambda: work(arguments.pop()))
    thread.start()
    assert used.wait(timeout=10)
    gone = weakref.ref(profiler)
    profiler = None
    gc.collect()
    go_on.set()
    thread.join(timeout=10)
    gc.collect()
    assert gone() is None


def test_profiler_in_a_cycle_is_collected() -> None:
    class Holder:
        """A clock, a cost and an attribute that all lead back to the profiler."""

        bytes_moved = flops = launches = 1

        def now(self) -> int:
            return 1

    holder = Holder()
    profiler = NativeBrickProfiler(clock=holder.now)
    holder.profiler = profiler  # type: ignore[attr-defined]
    profiler.holder = holder  # type: ignore[attr-defined]
    profiler.start("A")
    profiler.stop("A", cost=holder)  # type: ignore[arg-type]
    profiler.start("Open")
    gone = weakref.ref(profiler)
    del holder, profiler
    gc.collect()
    assert gone() is None
