"""The main job on llama.cpp, on the model that ships with the project."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.engines.names import EngineName
from tracepact.errors import ConfigError, ModelFileError
from tracepact.model import TraceConfig
from tracepact.report.run_report import RunReport
from tracepact.session import RunOptions, run
from tracepact.tracing import Policy

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        not (find_spec("llama_cpp") or find_spec("ik_llama_cpp")),
        reason="needs tracepact[llamacpp]",
    ),
]
F16 = Path(__file__).parents[1] / "models" / "tracepact-tales-f16.gguf"


def report_of(
    engine: EngineName = EngineName.LLAMACPP,
    *,
    inject: str | None = None,
    max_tokens: int = 6,
    model: Path = F16,
    context_length: int | None = 256,
) -> RunReport:
    options = RunOptions(
        model=model,
        engine=engine,
        prompt="Once upon a time",
        max_tokens=max_tokens,
        inject=inject,
        seed=3,
        context_length=context_length,
        config=TraceConfig.full(),
    )
    return run(options, ContractRegistry.builtin(), Policy(), [])


@cache
def healthy() -> RunReport:
    return report_of(max_tokens=40)


def test_text_is_that_of_the_reference_engine() -> None:
    reference = report_of(EngineName.REFERENCE, max_tokens=40)
    assert healthy().token_ids == reference.token_ids
    assert healthy().text == reference.text


def test_healthy_run_checks_every_trace_and_finds_nothing() -> None:
    report = healthy()
    assert report.numeric_violations == []
    assert report.faults == {}
    assert all(row.records and row.checks for row in report.traces)
    assert "llama-cpp-python" in report.engine
    assert report.overhead_ratio > 0


def test_bricks_are_timed() -> None:
    calls = {brick.brick: brick.calls for brick in healthy().bricks}
    assert calls["LmHead"] == 39
    assert {"RmsNorm", "QkvProjection", "DownProjection", "Sampling"} <= set(calls)


@pytest.mark.parametrize(
    ("inject", "layer", "brick"),
    [
        ("nan@2", 2, "DownProjection"),
        ("inf@1.OutputProjection", 1, "OutputProjection"),
        ("nan@3.RmsNorm", 3, "RmsNorm"),
        ("row-scale@3", 3, "AttentionSoftmax"),
        ("logit-scale", None, "LmHead"),
    ],
)
def test_planted_fault_is_named_first(inject: str, layer: int | None, brick: str) -> None:
    report = report_of(inject=inject)
    root = report.numeric_violations[0]
    assert (root.layer, root.brick, root.role) == (layer, brick, "root")
    assert report.fault_planted is not None


def test_key_that_is_written_over_is_found() -> None:
    report = report_of(inject="kv-overflow@2", max_tokens=24)
    root = report.numeric_violations[0]
    assert (root.layer, root.brick, root.trace) == (2, "KvCacheWrite", "MLT-05")


def test_slow_brick_violates_its_budget_and_only_numerics_stay_silent() -> None:
    report = report_of(inject="slow@2.DownProjection", max_tokens=8)
    assert report.numeric_violations == []
    assert (2, "DownProjection") in {(v.layer, v.brick) for v in report.timing_violations}


def test_products_and_norms_have_budgets() -> None:
    budgets = {brick.brick: brick.budget_us for brick in healthy().bricks}
    for brick in ("QkvProjection", "OutputProjection", "DownProjection", "LmHead", "RmsNorm"):
        assert (budgets[brick] or 0) > 0


def test_fault_that_would_not_be_found_is_refused() -> None:
    with pytest.raises(ConfigError, match="use --engine reference"):
        report_of(inject="bit-flip")


def test_text_ends_where_the_cache_is_full() -> None:
    report = report_of(max_tokens=400)
    assert report.stop_reason in ("context_full", "stop_token")
    assert report.numeric_violations == []


def test_context_length_that_makes_no_sense_is_one_line() -> None:
    with pytest.raises(ConfigError, match="context_length 0 is out of range"):
        report_of(context_length=0)


def test_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelFileError) as caught:
        report_of(model=broken)
    assert "\n" not in str(caught.value)


def test_absent_llama_cpp_is_one_line_and_the_rest_works() -> None:
    code = (
        "import sys; sys.modules['llama_cpp'] = sys.modules['ik_llama_cpp'] = None\n"
        "from tracepact.cli.app import main\n"
        f"sys.argv = ['tracepact', 'run', {str(F16)!r}, '--max-tokens', '2', *sys.argv[1:]]\n"
        "main()\n"
    )

    def tracepact(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    absent = tracepact("--engine", "llamacpp")
    assert absent.returncode == 2
    assert absent.stderr.strip().endswith("pip install 'tracepact[llamacpp]'")
    assert "\n" not in absent.stderr.strip()
    assert tracepact().returncode == 0
