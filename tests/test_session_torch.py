"""The main job on PyTorch, on the model that ships with the project."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.engines.names import EngineName
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.errors import ConfigError, ModelFileError
from tracepact.model import TraceConfig
from tracepact.report.run_report import RunReport
from tracepact.session import RunOptions, run
from tracepact.tracing import Policy

pytest.importorskip("torch", reason="needs tracepact[torch]")
pytest.importorskip("transformers", reason="needs tracepact[torch]")
pytest.importorskip("accelerate", reason="transformers reads GGUF with it")

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
F16 = Path(__file__).parents[1] / "models" / "tracepact-tales-f16.gguf"


def report_of(
    engine: EngineName, *, inject: str | None = None, max_tokens: int = 6, model: Path = F16
) -> RunReport:
    options = RunOptions(
        model=model,
        engine=engine,
        prompt="Once upon a time",
        max_tokens=max_tokens,
        inject=inject,
        seed=3,
        config=TraceConfig.full(),
    )
    return run(options, ContractRegistry.builtin(), Policy(), [])


@cache
def healthy() -> RunReport:
    return report_of(EngineName.TORCH, max_tokens=40)


def test_text_is_that_of_the_reference_engine() -> None:
    reference = report_of(EngineName.REFERENCE, max_tokens=40)
    assert healthy().token_ids == reference.token_ids
    assert healthy().text == reference.text


def test_healthy_run_checks_every_trace_and_finds_nothing() -> None:
    report = healthy()
    assert report.numeric_violations == []
    assert report.faults == {}
    assert all(row.records and row.checks for row in report.traces)
    assert report.engine.startswith("torch")
    assert report.overhead_ratio > 0


def test_bricks_are_timed() -> None:
    calls = {brick.brick: brick.calls for brick in healthy().bricks}
    assert calls["LmHead"] == 39
    assert {"RmsNorm", "QkvProjection", "DownProjection", "Sampling"} <= set(calls)


@pytest.mark.parametrize(
    ("inject", "layer", "brick"),
    [
        ("nan@2", 2, "Mlp"),
        ("inf@1.GateProjection", 1, "GateProjection"),
        ("nan@3.RmsNorm", 3, "RmsNorm"),
        ("row-scale@3", 3, "AttentionSoftmax"),
        ("logit-scale", None, "LmHead"),
        ("bit-flip@1", 1, "DownProjection"),
    ],
)
def test_planted_fault_is_named_first(inject: str, layer: int | None, brick: str) -> None:
    report = report_of(EngineName.TORCH, inject=inject)
    root = report.numeric_violations[0]
    assert (root.layer, root.brick, root.role) == (layer, brick, "root")
    assert report.fault_planted is not None


def test_broken_weight_in_the_file_is_the_root(tmp_path: Path) -> None:
    content = bytearray(F16.read_bytes())
    info = GgufFile(F16).tensors["blk.2.ffn_down.weight"]
    content[info.offset : info.offset + 2] = np.float16(np.nan).tobytes()
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content)
    root = report_of(EngineName.TORCH, model=damaged).numeric_violations[0]
    assert (root.layer, root.brick, root.role) == (2, "DownProjection", "root")


def test_slow_brick_violates_its_budget_and_only_numerics_stay_silent() -> None:
    report = report_of(EngineName.TORCH, inject="slow@2.DownProjection", max_tokens=8)
    assert report.numeric_violations == []
    assert (2, "DownProjection") in {(v.layer, v.brick) for v in report.timing_violations}


def test_products_and_norms_have_budgets() -> None:
    budgets = {brick.brick: brick.budget_us for brick in healthy().bricks}
    for brick in ("QkvProjection", "OutputProjection", "DownProjection", "LmHead", "RmsNorm"):
        assert (budgets[brick] or 0) > 0


def test_fault_that_would_not_be_found_is_refused() -> None:
    with pytest.raises(ConfigError, match="use --engine reference"):
        report_of(EngineName.TORCH, inject="kv-overflow")


def test_file_that_transformers_cannot_load_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelFileError, match="transformers cannot load it") as caught:
        report_of(EngineName.TORCH, model=broken)
    assert "\n" not in str(caught.value)


def test_absent_torch_is_one_line_and_the_rest_works() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from tracepact.cli.app import main\n"
        f"sys.argv = ['tracepact', 'run', {str(F16)!r}, '--max-tokens', '2', *sys.argv[1:]]\n"
        "main()\n"
    )

    def tracepact(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    absent = tracepact("--engine", "torch")
    assert absent.returncode == 2
    assert absent.stderr.strip().endswith("pip install 'tracepact[torch]'")
    assert "\n" not in absent.stderr.strip()
    assert tracepact().returncode == 0
