"""Micro-benchmarks, with a clock that a test can read: no test here depends on real time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tracepact.profiling import measure_hardware as module
from tracepact.profiling.measure_hardware import (
    allocate_stream,
    measure_bandwidth_gbps,
    measure_cold_start_us,
    measure_hardware,
    measure_launch_overhead_us,
    measure_matmul_gflops,
    stream_bytes,
)

MIB = 2**20


class TickingClock:
    """Advances by a fixed number of nanoseconds each time it is read."""

    def __init__(self, step_ns: int) -> None:
        self._times: Iterator[int] = count(0, step_ns)

    def __call__(self) -> int:
        return next(self._times)


def test_bandwidth_is_bytes_of_the_matrix_per_nanosecond() -> None:
    matrix = allocate_stream(400_000)
    assert matrix.nbytes == 400_000
    # 400 000 bytes in 200 000 ns.
    assert measure_bandwidth_gbps(matrix, clock=TickingClock(200_000)) == pytest.approx(2.0)


def test_matmul_rate_counts_two_operations_a_multiply_add() -> None:
    # 2 · 8³ operations in 512 ns.
    assert measure_matmul_gflops(8, clock=TickingClock(512)) == pytest.approx(2.0)


def test_launch_overhead_is_one_of_the_three_calls_in_a_sample() -> None:
    matrix = allocate_stream(8_000)
    assert measure_launch_overhead_us(matrix, clock=TickingClock(3_000)) == pytest.approx(1.0)


def test_cold_start_is_one_call() -> None:
    matrix = allocate_stream(8_000)
    assert measure_cold_start_us(matrix, clock=TickingClock(9_000)) == pytest.approx(9.0)


def test_clock_too_coarse_to_see_a_call_still_gives_positive_figures() -> None:
    matrix = allocate_stream(8_000)
    assert measure_launch_overhead_us(matrix, clock=lambda: 0) > 0


def test_best_of_several_runs_counts() -> None:
    """One run that was preempted does not spoil the figure."""
    # Warm-up deadline, then pairs of (deadline check, begin, end): 900, 100 and 500 ns.
    times = iter([0, 0, 900, 1000, 1100, 2000, 2500, 10**9])
    assert module.best_ns(lambda: None, lambda: next(times)) == 100


def test_slow_machine_measures_three_times_and_stops() -> None:
    runs = count()
    module.best_ns(lambda: next(runs), TickingClock(10**9))
    assert next(runs) == 1 + 3  # one to warm up


@pytest.mark.parametrize(
    ("cache_bytes", "expected"),
    [
        (None, 256 * MIB),
        (1 * MIB, 64 * MIB),
        (32 * MIB, 128 * MIB),
        (1024 * MIB, 256 * MIB),
    ],
)
def test_streamed_matrix_is_beyond_the_cache_within_limits(
    cache_bytes: int | None, expected: int
) -> None:
    assert stream_bytes(cache_bytes) == expected


def test_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sizes and no repeats: that it runs, not what it finds."""
    monkeypatch.setattr(module, "_SECONDS_PER_BENCHMARK", 0.0)
    monkeypatch.setattr(module, "_MIN_STREAM_BYTES", MIB)
    monkeypatch.setattr(module, "_CACHE_FACTOR", 0)
    measured = measure_hardware(last_level_cache_bytes=MIB)
    assert measured.memory_bandwidth_gbps > 0
    assert measured.matmul_gflops > 0
    assert measured.launch_overhead_us > 0
    assert measured.cold_start_us > 0
    assert measured.measured_at.endswith("+00:00")
