"""Facts about a machine, read from files of other machines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tracepact.profiling import machine
from tracepact.profiling.machine import blas_threads, describe_machine, simd_extensions

X86 = """\
processor\t: 0
model name\t: AMD EPYC
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse4_2 avx avx2 fma avx512f

processor\t: 1
model name\t: AMD EPYC
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse4_2 avx avx2 fma avx512f

processor\t: 2
model name\t: AMD EPYC
physical id\t: 1
core id\t\t: 0
flags\t\t: fpu sse4_2 avx avx2 fma avx512f
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve\n\nprocessor\t: 1\nFeatures\t: fp asimd sve\n"
OPTIONAL = ("psutil", "cpuinfo", "threadpoolctl")


@pytest.fixture
def stdlib_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra `hardware` were not installed."""
    for name in OPTIONAL:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def no_linux_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a system without /proc and /sys."""
    monkeypatch.setattr(machine._read_proc_cpuinfo, "__defaults__", (tmp_path / "none",))
    monkeypatch.setattr(machine._read_caches, "__defaults__", (tmp_path / "none",))


def _cpuinfo(tmp_path: Path, text: str) -> machine._Cpu:
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    cpu = machine._read_proc_cpuinfo(path)
    assert cpu is not None
    return cpu


def test_hyper_threads_of_one_core_count_once(tmp_path: Path) -> None:
    cpu = _cpuinfo(tmp_path, X86)
    assert cpu.model == "AMD EPYC"
    assert cpu.physical_cores == 2


def test_arm_lists_features_but_no_model_and_no_cores(tmp_path: Path) -> None:
    cpu = _cpuinfo(tmp_path, ARM)
    assert (cpu.model, cpu.physical_cores) == ("", 0)
    assert simd_extensions(cpu.flags) == ("NEON", "SVE")


def test_simd_extensions_come_oldest_first(tmp_path: Path) -> None:
    flags = _cpuinfo(tmp_path, X86).flags
    assert simd_extensions(flags) == ("SSE4.2", "AVX", "AVX2", "FMA", "AVX512F")


def test_binary_junk_for_a_cpuinfo_is_an_unknown_processor(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(bytes(range(256)))
    cpu = machine._read_proc_cpuinfo(path)
    assert cpu is not None
    assert cpu.model == ""


def test_caches_are_read_in_bytes_without_the_instruction_cache(tmp_path: Path) -> None:
    caches = [
        ("Data", "1", "48K"),
        ("Instruction", "1", "32K"),
        ("Unified", "2", "2M"),
        ("Unified", "3", "not a size"),
    ]
    for number, contents in enumerate(caches):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in zip(("type", "level", "size"), contents, strict=True):
            (folder / name).write_text(text + "\n", encoding="ascii")
    (tmp_path / "index9").mkdir()
    assert machine._read_caches(tmp_path) == {1: 48 * 2**10, 2: 2 * 2**20}


def test_this_machine_is_described() -> None:
    facts = describe_machine()
    assert facts.cpu_model
    assert facts.logical_cores >= facts.physical_cores >= 1
    assert facts.threads >= 1
    assert facts.memory_bytes is None or facts.memory_bytes > 2**20


@pytest.mark.usefixtures("stdlib_only")
def test_standard_library_is_enough() -> None:
    facts = describe_machine()
    assert facts.cpu_model
    assert facts.physical_cores >= 1


@pytest.mark.usefixtures("stdlib_only", "no_linux_files")
def test_unknown_system_is_described_with_what_python_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    facts = describe_machine()
    assert facts.cpu_model == machine.platform.machine()
    assert facts.physical_cores == facts.logical_cores
    assert (facts.simd, facts.l3_bytes, facts.memory_bytes) == ((), None, None)


@pytest.mark.usefixtures("no_linux_files")
def test_optional_libraries_answer_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = ModuleType("cpuinfo")
    vars(cpuinfo)["get_cpu_info"] = lambda: {
        "brand_raw": "Apple M2",
        "flags": ["asimd"],
        "l2_cache_size": 4 * 2**20,
        "l3_cache_size": "unknown",
    }
    psutil = ModuleType("psutil")
    vars(psutil)["cpu_count"] = lambda logical: 8
    vars(psutil)["virtual_memory"] = lambda: SimpleNamespace(total=16 * 2**30)
    monkeypatch.setitem(sys.modules, "cpuinfo", cpuinfo)
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    facts = describe_machine()
    assert (facts.cpu_model, facts.physical_cores, facts.simd) == ("Apple M2", 8, ("NEON",))
    assert (facts.l2_bytes, facts.l3_bytes, facts.memory_bytes) == (4 * 2**20, None, 16 * 2**30)


def test_threads_are_what_the_blas_library_says(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("threadpoolctl")
    vars(library)["threadpool_info"] = lambda: [
        {"user_api": "openmp", "num_threads": 64},
        {"user_api": "blas", "num_threads": 3},
    ]
    monkeypatch.setitem(sys.modules, "threadpoolctl", library)
    assert blas_threads() == 3


@pytest.mark.usefixtures("stdlib_only")
def test_threads_are_what_the_environment_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert blas_threads() == 5


def test_threads_are_all_cores_when_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("threadpoolctl")
    vars(library)["threadpool_info"] = list
    monkeypatch.setitem(sys.modules, "threadpoolctl", library)
    for variable in machine._THREAD_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert blas_threads() == os.cpu_count()
