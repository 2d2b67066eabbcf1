"""Measured once, kept for the next run, never trusted blindly."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tracepact.profiling import hardware, hardware_cache
from tracepact.profiling.hardware import HardwareCapability
from tracepact.profiling.hardware_cache import (
    cache_path,
    load_measurements,
    machine_identity,
    store_measurements,
)
from tracepact.profiling.machine import MachineFacts
from tracepact.profiling.measure_hardware import Measurements

FACTS = MachineFacts(cpu_model="Test CPU", physical_cores=2, logical_cores=4, l3_bytes=2**25)
MEASURED = Measurements(
    memory_bandwidth_gbps=32.0,
    matmul_gflops=115.0,
    launch_overhead_us=1.25,
    cold_start_us=10.0,
    measured_at="now",
)

SLOW = replace(MEASURED, memory_bandwidth_gbps=1.0)
"""What a cache must not be believed."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that does not exist yet."""
    path = tmp_path / "deep" / "cache"
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", str(path))
    return path


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Stands in for this machine; lists the cache sizes that were measured against."""
    calls: list[int | None] = []

    def measure(*, last_level_cache_bytes: int | None) -> Measurements:
        calls.append(last_level_cache_bytes)
        return MEASURED

    monkeypatch.setattr(hardware, "describe_machine", lambda: FACTS)
    monkeypatch.setattr(hardware, "measure_hardware", measure)
    return calls


def test_second_run_does_not_measure(measurements: list[int | None]) -> None:
    first = HardwareCapability.detect()
    assert HardwareCapability.detect() == first
    assert measurements == [2**25]
    assert (first.cpu_model, first.memory_bandwidth_gbps) == ("Test CPU", 32.0)


def test_refresh_measures_again(measurements: list[int | None]) -> None:
    HardwareCapability.detect()
    HardwareCapability.detect(refresh=True)
    assert len(measurements) == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"identity": {}}',
        b"[" * 100_000,
        json.dumps({"identity": {"cpu_model": "another"}, "measured": asdict(SLOW)}).encode(),
        json.dumps({"identity": machine_identity(FACTS), "measured": 5}).encode(),
        json.dumps(
            {
                "identity": machine_identity(FACTS),
                "measured": asdict(SLOW) | {"memory_bandwidth_gbps": "fast"},
            }
        ).encode(),
        json.dumps(
            {
                "identity": machine_identity(FACTS),
                "measured": asdict(SLOW) | {"matmul_gflops": float("nan")},
            }
        ).encode(),
    ],
)
def test_damaged_or_foreign_cache_is_ignored_and_rewritten(
    measurements: list[int | None], folder: Path, damage: bytes
) -> None:
    folder.mkdir(parents=True)
    cache_path(FACTS).write_bytes(damage)
    assert HardwareCapability.detect().memory_bandwidth_gbps == 32.0
    assert len(measurements) == 1
    assert load_measurements(FACTS) == MEASURED


@pytest.mark.parametrize(
    "other",
    [
        replace(FACTS, threads=7),
        replace(FACTS, cpu_model="Other CPU"),
        replace(FACTS, memory_bytes=1),
        replace(FACTS, blas="mkl 2024"),
    ],
)
def test_another_machine_or_thread_count_has_figures_of_its_own(other: MachineFacts) -> None:
    store_measurements(FACTS, MEASURED)
    assert load_measurements(other) is None
    assert cache_path(other) != cache_path(FACTS)


def test_another_numpy_measures_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store_measurements(FACTS, MEASURED)
    monkeypatch.setattr(hardware_cache.np, "__version__", "99.0")
    assert load_measurements(FACTS) is None


def test_folder_that_cannot_be_written_is_no_error(
    measurements: list[int | None], folder: Path
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be", encoding="utf-8")
    assert HardwareCapability.detect().matmul_gflops == 115.0
    assert len(measurements) == 1


def test_interrupted_write_leaves_neither_half_a_file_nor_litter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    store_measurements(FACTS, MEASURED)
    assert list(folder.iterdir()) == []
