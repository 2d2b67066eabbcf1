"""What this machine does with PyTorch in a model's own type, for budgets of its bricks."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import torch
from torch.nn import functional

from tracepact.profiling import HardwareCapability
from tracepact.profiling.machine import describe_machine
from tracepact.profiling.measure_hardware import (
    COLD_SAMPLES,
    Measurements,
    best_ns,
    median_us_after,
    stream_bytes,
)

_COLUMNS: Final = 1000
_SIZE: Final = 1024
_NORM_LAUNCHES: Final = 8


def torch_hardware(
    dtype: torch.dtype = torch.float32, *, refresh: bool = False
) -> HardwareCapability:
    """Describe this machine as PyTorch uses it, with the threads in force.

    PyTorch's products may reach half of what NumPy's do, or a tenth in a type that the processor
    has to convert; that is no defect of a model's brick. Measuring takes some seconds the first
    time, as with `HardwareCapability.detect`, and the figures are kept in the same folder.

    Args:
        dtype: of the weights.
        refresh: measure again even if there are figures of an earlier run.
    """
    name = str(dtype).removeprefix("torch.")
    facts = replace(
        describe_machine(),
        blas=f"PyTorch {torch.__version__} in {name}",
        threads=torch.get_num_threads(),
    )
    measure = functools.partial(_measure, dtype)
    return HardwareCapability.detect(refresh=refresh, facts=facts, measure=measure)


@torch.inference_mode()
def _measure(dtype: torch.dtype, *, last_level_cache_bytes: int | None) -> Measurements:
    rows = stream_bytes(last_level_cache_bytes) // (_COLUMNS * dtype.itemsize)
    matrix = torch.full((rows, _COLUMNS), 0.5, dtype=dtype)
    vector = torch.ones((1, 1, _COLUMNS), dtype=dtype)
    factor = torch.full((_SIZE, _SIZE), 0.5, dtype=dtype)
    row, scale = torch.ones((1, 1, 256), dtype=dtype), torch.ones(256, dtype=dtype)

    def norm() -> None:
        """Operation after operation finds its code driven out of the caches by a large model."""
        wide = row.to(torch.float64)
        variance = wide.pow(2).mean(-1, keepdim=True)
        torch.mul(scale, (wide * torch.rsqrt(variance + 1e-6)).to(dtype))

    def first() -> None:
        torch.mul(row, row)

    def sweep() -> None:
        functional.linear(vector, matrix)

    return Measurements(
        memory_bandwidth_gbps=matrix.nbytes / best_ns(sweep),
        matmul_gflops=2.0 * _SIZE**3 / best_ns(lambda: functional.linear(factor, factor)),
        launch_overhead_us=median_us_after(sweep, norm, COLD_SAMPLES) / _NORM_LAUNCHES,
        cold_start_us=median_us_after(sweep, first, COLD_SAMPLES),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
