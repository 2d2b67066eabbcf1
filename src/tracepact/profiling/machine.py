"""Facts about this machine that need no measuring.

On Linux everything comes from /proc and /sys: there py-cpuinfo takes a second and mistakes one
cache for another. psutil and py-cpuinfo (extra `hardware`) answer on other systems.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tracepact.profiling.gpu import GpuInfo, detect_gpus

_CPUINFO: Final = Path("/proc/cpuinfo")
_CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")
_SIMD_FLAGS: Final = {
    "sse4_2": "SSE4.2",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX512F",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "neon": "NEON",
    "sve": "SVE",
}
_THREAD_VARIABLES: Final = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
_UNITS: Final = {"K": 2**10, "M": 2**20, "G": 2**30}


@dataclass(frozen=True, kw_only=True)
class MachineFacts:
    """What a machine is, before anything is measured on it.

    Attributes:
        cpu_model: the processor's name as it gives it itself.
        physical_cores: cores without counting hyper-threads twice.
        logical_cores: hardware threads.
        simd: vector extensions, oldest first, for example ("AVX2", "AVX512F").
        l1d_bytes, l2_bytes, l3_bytes: data cache sizes as core 0 sees them; None if unknown.
        memory_bytes: main memory; None if unknown.
        gpus: what NVML lists.
        blas: name and version of the BLAS that NumPy was built with.
        threads: threads that BLAS uses in this process.
    """

    cpu_model: str
    physical_cores: int
    logical_cores: int
    simd: tuple[str, ...] = ()
    l1d_bytes: int | None = None
    l2_bytes: int | None = None
    l3_bytes: int | None = None
    memory_bytes: int | None = None
    gpus: tuple[GpuInfo, ...] = ()
    blas: str = "unknown"
    threads: int = 1


def describe_machine() -> MachineFacts:
    """Collect the facts; milliseconds on Linux, a second where py-cpuinfo has to be asked."""
    cpu = _read_proc_cpuinfo() or _ask_cpuinfo()
    caches = _read_caches() or cpu.caches
    logical = os.cpu_count() or 1
    return MachineFacts(
        cpu_model=cpu.model or platform.processor() or platform.machine() or "unknown",
        physical_cores=cpu.physical_cores or _ask_psutil_cores() or logical,
        logical_cores=logical,
        simd=simd_extensions(cpu.flags),
        l1d_bytes=caches.get(1),
        l2_bytes=caches.get(2),
        l3_bytes=caches.get(3),
        memory_bytes=_memory_bytes(),
        gpus=detect_gpus(),
        blas=_blas(),
        threads=blas_threads(),
    )


def simd_extensions(flags: frozenset[str]) -> tuple[str, ...]:
    """Names of the vector extensions among a processor's flags, oldest first."""
    return tuple(dict.fromkeys(name for flag, name in _SIMD_FLAGS.items() if flag in flags))


def blas_threads() -> int:
    """Threads that BLAS uses now: threadpoolctl's answer, else what the environment asks for."""
    try:
        from threadpoolctl import threadpool_info  # noqa: PLC0415 - optional: extra `hardware`
    except ImportError:
        pass
    else:
        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        if pools:
            return int(max(pools))
    for variable in _THREAD_VARIABLES:
        text = os.environ.get(variable, "")
        if text.isdecimal() and int(text) > 0:
            return int(text)
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _Cpu:
    """What one source knows of the processor."""

    model: str
    flags: frozenset[str]
    physical_cores: int
    caches: Mapping[int, int]


def _read_proc_cpuinfo(path: Path = _CPUINFO) -> _Cpu | None:
    """Parse Linux's list of processors; None where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    model, flags, cores = "", frozenset[str](), set[tuple[str, str]]()
    for block in text.split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines())
        entries = {key.strip(): value.strip() for key, _, value in lines}
        model = model or entries.get("model name", "")
        flags = flags or frozenset(entries.get("flags", entries.get("Features", "")).split())
        if "core id" in entries:
            cores.add((entries.get("physical id", ""), entries["core id"]))
    return _Cpu(model, flags, len(cores), {})


def _ask_cpuinfo() -> _Cpu:
    """What py-cpuinfo knows; empty where it is missing or does not know the system."""
    try:
        from cpuinfo import get_cpu_info  # noqa: PLC0415 - optional: extra `hardware`

        info: dict[str, Any] = get_cpu_info()
    except Exception:  # py-cpuinfo raises bare exceptions on systems that it does not know
        info = {}
    names = {1: "l1_data_cache_size", 2: "l2_cache_size", 3: "l3_cache_size"}
    sizes = {level: info.get(name) for level, name in names.items()}
    return _Cpu(
        model=str(info.get("brand_raw", "")),
        flags=frozenset(info.get("flags", ())),
        physical_cores=0,
        caches={level: size for level, size in sizes.items() if isinstance(size, int)},
    )


def _ask_psutil_cores() -> int:
    try:
        import psutil  # noqa: PLC0415 - optional: extra `hardware`
    except ImportError:
        return 0
    return psutil.cpu_count(logical=False) or 0


def _read_caches(folder: Path = _CACHES) -> dict[int, int]:
    """Data cache sizes in bytes by level, from Linux's /sys; empty elsewhere."""
    caches: dict[int, int] = {}
    for index in sorted(folder.glob("index*")):
        try:
            kind, level, size = (
                (index / name).read_text(encoding="ascii").strip()
                for name in ("type", "level", "size")
            )
            if kind != "Instruction":
                caches[int(level)] = int(size.rstrip("KMG")) * _UNITS.get(size[-1:], 1)
        except (OSError, ValueError):
            continue
    return caches


def _memory_bytes() -> int | None:
    try:
        import psutil  # noqa: PLC0415 - optional: extra `hardware`
    except ImportError:
        pass
    else:
        return psutil.virtual_memory().total
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _blas() -> str:
    build: Mapping[str, Any] = np.show_config(mode="dicts")
    blas = build.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
