"""NVIDIA GPUs of this machine, as far as NVML tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """One GPU.

    Attributes:
        name: marketing name, for example "NVIDIA H100 PCIe".
        memory_bytes: total device memory.
    """

    name: str
    memory_bytes: int


def detect_gpus() -> tuple[GpuInfo, ...]:
    """GPUs that NVML lists; none where `nvidia-ml-py` (extra `gpu`) or the driver is missing."""
    try:
        import pynvml  # noqa: PLC0415 - optional: extra `gpu`
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return tuple(
            GpuInfo(pynvml.nvmlDeviceGetName(gpu), pynvml.nvmlDeviceGetMemoryInfo(gpu).total)
            for gpu in handles
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
