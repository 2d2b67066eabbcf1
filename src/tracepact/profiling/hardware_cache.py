"""Measured figures, kept in the user's cache folder by the identity of the machine."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from tracepact import config
from tracepact.profiling.machine import MachineFacts
from tracepact.profiling.measure_hardware import Measurements

_FORMAT: Final = 1
"""Raised when a benchmark changes, so that figures of the old one are measured again."""

_MAX_BYTES: Final = 64 * 1024


def machine_identity(facts: MachineFacts) -> dict[str, Any]:
    """What the figures depend on: the same identity, the same figures."""
    return {
        "format": _FORMAT,
        "cpu_model": facts.cpu_model,
        "physical_cores": facts.physical_cores,
        "logical_cores": facts.logical_cores,
        "memory_bytes": facts.memory_bytes,
        "numpy": np.__version__,
        "blas": facts.blas,
        "threads": facts.threads,
    }


def cache_path(facts: MachineFacts) -> Path:
    """Where the figures of this machine, with this number of threads, are kept."""
    identity = json.dumps(machine_identity(facts), sort_keys=True)
    return config.cache_dir() / f"hardware-{zlib.crc32(identity.encode()):08x}.json"


def load_measurements(facts: MachineFacts) -> Measurements | None:
    """Figures of an earlier run; None if there are none, or they are damaged or foreign."""
    try:
        document = json.loads(config.read_cached(cache_path(facts).name, _MAX_BYTES) or b"{}")
        if document["identity"] != machine_identity(facts):
            return None
        measured = document["measured"]
        return Measurements(
            memory_bandwidth_gbps=_positive(measured["memory_bandwidth_gbps"]),
            matmul_gflops=_positive(measured["matmul_gflops"]),
            launch_overhead_us=_positive(measured["launch_overhead_us"]),
            cold_start_us=_positive(measured["cold_start_us"]),
            measured_at=str(measured["measured_at"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def store_measurements(facts: MachineFacts, measured: Measurements) -> None:
    """Keep the figures for the next run; a folder that cannot be written is no error."""
    document = {"identity": machine_identity(facts), "measured": asdict(measured)}
    config.write_cached(cache_path(facts).name, json.dumps(document, indent=1).encode())


def _positive(value: Any) -> float:
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise ValueError(f"not a measured figure: {value!r}")
    return float(value)
