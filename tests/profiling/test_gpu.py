"""GPUs, with a stand-in for NVML because tests run without a GPU."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tracepact.profiling.gpu import GpuInfo, detect_gpus


class NvmlError(Exception):
    """Stand-in for `pynvml.NVMLError`."""


def _nvml(monkeypatch: pytest.MonkeyPatch, **functions: object) -> ModuleType:
    module = ModuleType("pynvml")
    members = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU {handle}",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=2**30 * (handle + 1)),
    }
    for name, value in (members | functions).items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def _fail(*_: object) -> None:
    raise NvmlError("driver not loaded")


def test_every_gpu_is_listed_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    _nvml(monkeypatch)
    assert detect_gpus() == (GpuInfo("GPU 0", 2**30), GpuInfo("GPU 1", 2**31))


def test_missing_library_means_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert detect_gpus() == ()


def test_library_without_driver_means_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _nvml(monkeypatch, nvmlInit=_fail)
    assert detect_gpus() == ()


def test_gpu_that_answers_nothing_means_no_gpu_and_nvml_is_shut_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shut_down: list[bool] = []
    _nvml(monkeypatch, nvmlDeviceGetName=_fail, nvmlShutdown=lambda: shut_down.append(True))
    assert detect_gpus() == ()
    assert shut_down == [True]
