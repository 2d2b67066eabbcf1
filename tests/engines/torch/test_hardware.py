"""Claims about the figures that budgets of PyTorch's bricks come from."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")

from tracepact.engines.torch import hardware  # noqa: E402
from tracepact.profiling import HardwareCapability, measure_hardware  # noqa: E402


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small matrices, few repeats, and a cache folder of its own."""
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(measure_hardware, "_SECONDS_PER_BENCHMARK", 0.01)
    monkeypatch.setattr(hardware, "stream_bytes", lambda _: 2**20)
    monkeypatch.setattr(hardware, "_SIZE", 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_figure_is_measured_in_the_type_of_the_weights(dtype: torch.dtype) -> None:
    found = hardware.torch_hardware(dtype)
    assert isinstance(found, HardwareCapability)
    assert found.blas == f"PyTorch {torch.__version__} in {str(dtype).removeprefix('torch.')}"
    figures = (
        found.memory_bandwidth_gbps,
        found.matmul_gflops,
        found.launch_overhead_us,
        found.cold_start_us,
    )
    assert all(figure > 0 for figure in figures)


def test_figures_are_kept_for_each_type(monkeypatch: pytest.MonkeyPatch) -> None:
    single, half = hardware.torch_hardware(), hardware.torch_hardware(torch.bfloat16)

    def again(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(hardware, "_measure", again)
    assert hardware.torch_hardware() == single
    assert hardware.torch_hardware(torch.bfloat16) == half
    with pytest.raises(AssertionError, match="measured again"):
        hardware.torch_hardware(refresh=True)
