"""Micro-benchmarks of what limits inference: memory, arithmetic, and the cost of a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from tracepact.types import Array

Clock = Callable[[], int]

_MIB: Final = 2**20
_COLUMNS: Final = 1000
"""Row length of the streamed matrix; not a power of two, whose rows fall into the same sets of
the cache."""
_CACHE_FACTOR: Final = 4
_MIN_STREAM_BYTES: Final = 64 * _MIB
_MAX_STREAM_BYTES: Final = 256 * _MIB
_SWEEP_BYTES: Final = 4 * _MIB
_LAUNCH_SAMPLES: Final = 301
_LAUNCHES_PER_SAMPLE: Final = 3
COLD_SAMPLES: Final = 31
_MIN_REPEATS: Final = 3
_SECONDS_PER_BENCHMARK: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a machine does, measured with the BLAS threads in force.

    Attributes:
        memory_bandwidth_gbps: 1e9 bytes a second that a float32 matrix-vector product, the work of
            decoding, takes from memory.
        matmul_gflops: 1e9 operations a second of a float32 matrix product of 1024³, the work of a
            long prompt.
        launch_overhead_us: microseconds that a small NumPy call costs, however little it computes.
        cold_start_us: microseconds that the first of them costs after something large went through
            all caches, such as the output matrix of a model; its code comes from memory then.
        measured_at: when, ISO 8601 in UTC; empty if the figures were given by hand.
    """

    memory_bandwidth_gbps: float
    matmul_gflops: float
    launch_overhead_us: float
    cold_start_us: float
    measured_at: str = ""


def measure_hardware(*, last_level_cache_bytes: int | None = None) -> Measurements:
    """Measure this machine in at most three seconds and 256 MiB.

    Args:
        last_level_cache_bytes: the streamed matrix is well beyond it; None if unknown.
    """
    matrix = allocate_stream(stream_bytes(last_level_cache_bytes))
    return Measurements(
        memory_bandwidth_gbps=measure_bandwidth_gbps(matrix),
        matmul_gflops=measure_matmul_gflops(),
        launch_overhead_us=measure_launch_overhead_us(matrix),
        cold_start_us=measure_cold_start_us(matrix),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def stream_bytes(last_level_cache_bytes: int | None) -> int:
    """Size of a matrix that the last-level cache cannot hold, between 64 and 256 MiB."""
    if last_level_cache_bytes is None:
        return _MAX_STREAM_BYTES
    return min(max(_CACHE_FACTOR * last_level_cache_bytes, _MIN_STREAM_BYTES), _MAX_STREAM_BYTES)


def allocate_stream(size_bytes: int) -> Array:
    """A float32 matrix [rows, 1000] of about that size, all of its pages touched."""
    rows = max(1, size_bytes // (_COLUMNS * 4))
    return np.full((rows, _COLUMNS), 0.5, dtype=np.float32)


def measure_bandwidth_gbps(matrix: Array, *, clock: Clock = time.perf_counter_ns) -> float:
    """Best rate, in GB/s, of sweeps of a matrix-vector product over a [rows, columns] matrix."""
    vector = np.ones(matrix.shape[1], dtype=matrix.dtype)
    out = np.empty(matrix.shape[0], dtype=matrix.dtype)
    return matrix.nbytes / best_ns(lambda: np.matmul(matrix, vector, out=out), clock)


def measure_matmul_gflops(size: int = 1024, *, clock: Clock = time.perf_counter_ns) -> float:
    """Best rate, in GFLOP/s, of a float32 product of two [size, size] matrices."""
    factor = np.full((size, size), 0.5, dtype=np.float32)
    out = np.empty_like(factor)
    return 2.0 * size**3 / best_ns(lambda: np.matmul(factor, factor, out=out), clock)


def measure_launch_overhead_us(matrix: Array, *, clock: Clock = time.perf_counter_ns) -> float:
    """Median cost, in µs, of one small NumPy call between products that stream through the caches.

    A sample is one elementwise call, one reduction and one product, the mix of a forward pass. In
    a tight loop of its own a call costs half as much, because nothing evicts the interpreter.

    Args:
        matrix: float32 [rows, columns]; its first 4 MiB, more than a core's own caches, are swept
            before each sample.
        clock: nanoseconds.
    """
    row = np.ones((1, 256), dtype=np.float32)
    weight = np.ones((256, 16), dtype=np.float32)

    def work() -> None:
        np.multiply(row, row)
        row.max(axis=-1, keepdims=True)
        np.matmul(row, weight)

    swept = matrix[: max(1, _SWEEP_BYTES // matrix[0].nbytes)]
    sample_us = median_us_after(_sweep(swept), work, _LAUNCH_SAMPLES, clock)
    return sample_us / _LAUNCHES_PER_SAMPLE


def measure_cold_start_us(matrix: Array, *, clock: Clock = time.perf_counter_ns) -> float:
    """Median cost, in µs, of one small NumPy call after a sweep of the whole matrix.

    Args:
        matrix: float32 [rows, columns], well beyond the last-level cache.
        clock: nanoseconds.
    """
    row = np.ones((1, 256), dtype=np.float32)
    return median_us_after(_sweep(matrix), lambda: np.multiply(row, row), COLD_SAMPLES, clock)


def _sweep(swept: Array) -> Callable[[], object]:
    vector = np.ones(swept.shape[1], dtype=swept.dtype)
    return lambda: np.matmul(swept, vector)


def median_us_after(
    sweep: Callable[[], object],
    work: Callable[[], object],
    samples: int,
    clock: Clock = time.perf_counter_ns,
) -> float:
    """Median time, in µs, of a piece of work, each time after what empties the caches."""
    samples_ns: list[int] = []
    for _ in range(samples):
        sweep()
        began = clock()
        work()
        samples_ns.append(clock() - began)
    # A clock that is coarser than a call may show nothing at all.
    return max(statistics.median(samples_ns), 1) / 1e3


def best_ns(work: Callable[[], object], clock: Clock = time.perf_counter_ns) -> int:
    """Shortest of several runs after one to warm up; as many as half a second holds."""
    work()
    deadline = clock() + int(_SECONDS_PER_BENCHMARK * 1e9)
    best, repeats = 0, 0
    while repeats < _MIN_REPEATS or clock() < deadline:
        began = clock()
        work()
        elapsed = max(clock() - began, 1)
        best = elapsed if repeats == 0 else min(best, elapsed)
        repeats += 1
    return best
