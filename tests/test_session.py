"""The main job on the model that ships with the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import JsonlExporter
from tracepact.model import TraceConfig
from tracepact.profiling import is_valid_profile
from tracepact.report.run_report import RunReport
from tracepact.session import RunOptions, run
from tracepact.tracing import Mode, Policy
from tracepact.violation import Violation

ROOT = Path(__file__).parents[1]
F16 = ROOT / "models" / "tracepact-tales-f16.gguf"
Q8_0 = ROOT / "models" / "tracepact-tales-q8_0.gguf"

pytestmark = pytest.mark.model


def report_of(
    *,
    inject: str | None = None,
    reference: Path | None = None,
    max_tokens: int = 8,
    config: TraceConfig | None = None,
    policy: Policy | None = None,
) -> RunReport:
    options = RunOptions(
        model=Q8_0,
        prompt="Once upon a time",
        max_tokens=max_tokens,
        inject=inject,
        reference=reference,
        seed=3,
        config=config or TraceConfig.full(),
    )
    return run(options, ContractRegistry.builtin(), policy or Policy(), [])


@cache
def healthy() -> RunReport:
    return report_of(max_tokens=24)


def first(report: RunReport) -> Violation:
    return report.numeric_violations[0]


def test_healthy_run_has_no_numeric_violation() -> None:
    assert healthy().numeric_violations == []
    assert healthy().unchecked == []
    assert healthy().faults == {}
    assert healthy().checks > 1000


def test_run_writes_words() -> None:
    words = healthy().text.split()
    assert len(words) > 5
    assert all(word.isascii() for word in words)


def test_every_trace_has_records_and_checks() -> None:
    rows = healthy().traces
    assert [row.trace for row in rows] == ["MLT-01", "MLT-02", "MLT-03", "MLT-04", "MLT-05"]
    assert all(row.records and row.checks for row in rows)


def test_bricks_cover_the_forward_pass() -> None:
    names = {brick.brick for brick in healthy().bricks}
    assert {"RmsNorm", "QkvProjection", "AttentionSoftmax", "LmHead", "Sampling"} <= names
    counts = {brick.brick: brick.calls for brick in healthy().bricks}
    assert counts["LmHead"] == 23  # the first of 24 tokens comes from the prefill
    assert counts["RmsNorm"] == (2 * 5 + 1) * 23


@pytest.mark.parametrize(
    ("inject", "contract", "layer", "brick", "trace"),
    [
        ("nan@2", "activation-kernel-v1", 2, "DownProjection", "MLT-01"),
        ("inf@1", "activation-kernel-v1", 1, "DownProjection", "MLT-01"),
        ("nan@3.GateProjection", "linear-projection-v1", 3, "GateProjection", None),
        ("nan@3.RmsNorm", "activation-kernel-v1", 3, "RmsNorm", "MLT-01"),
        ("nan@0.AttentionScore", "attention-kernel-v1", 0, "AttentionScore", None),
        ("nan@0.RopeEmbedding", "rope-kernel-v1", 0, "RopeEmbedding", None),
        ("inf@4.Activation", "activation-kernel-v1", 4, "Activation", None),
        ("nan@4.AttentionOutput", "attention-kernel-v1", 4, "AttentionOutput", None),
        ("nan@2.Residual", "tensor-shape-flow-v1", 2, "Residual", None),
        ("nan@1.KvCacheWrite", "kv-cache-equivalence-v1", 1, "KvCacheWrite", None),
        ("row-scale@3", "softmax-kernel-v1", 3, "AttentionSoftmax", "MLT-02"),
        ("row-scale@3.UpProjection", "linear-projection-v1", 3, "UpProjection", None),
        ("row-scale@3.RmsNorm", "rmsnorm-kernel-v1", 3, "RmsNorm", None),
        ("logit-scale", "model-config-algebra-v1", None, "LmHead", "MLT-03"),
        ("kv-overflow@2", "gpu-decode-profiling-v1", 2, "KvCacheWrite", "MLT-05"),
        ("bit-flip@2", "linear-projection-v1", 2, "DownProjection", None),
        ("bit-flip@1.QkvProjection", "linear-projection-v1", 1, "QkvProjection", None),
        ("nan@Embedding", "embedding-lookup-v1", None, "Embedding", None),
    ],
)
def test_planted_fault_is_named_first(
    inject: str, contract: str, layer: int | None, brick: str, trace: str | None
) -> None:
    report = report_of(inject=inject)
    assert report.fault_planted is not None
    place = [(v.layer, v.brick) for v in report.numeric_violations]
    assert place[0] == (layer, brick)
    found = [
        (v.contract, v.trace) for v in report.numeric_violations if (v.layer, v.brick) == place[0]
    ]
    assert (contract, trace) in found


def test_profile_is_valid_where_the_contract_says_so() -> None:
    registry = ContractRegistry.builtin()
    assert is_valid_profile(registry, 0.86)
    assert not is_valid_profile(registry, 0.84)
    report = healthy()
    coverage = report.profile.decode.coverage
    assert coverage is not None
    assert report.is_valid_profile is is_valid_profile(registry, coverage)


def test_scaled_logits_are_named_by_their_trace_first() -> None:
    violation = first(report_of(inject="logit-scale"))
    assert (violation.contract, violation.trace) == ("model-config-algebra-v1", "MLT-03")


def test_slow_brick_violates_its_budget_and_only_numerics_stay_silent() -> None:
    report = report_of(inject="slow@2.UpProjection", max_tokens=8)
    assert report.numeric_violations == []
    assert (2, "UpProjection") in {(v.layer, v.brick) for v in report.timing_violations}


def test_fault_in_the_only_pass_of_one_token_is_found() -> None:
    assert first(report_of(inject="nan@1", max_tokens=1)).layer == 1


def test_reference_compares_every_tensor() -> None:
    report = report_of(reference=F16)
    assert len(report.compared) == 47
    quantised = [r for r in report.compared if r.quant_type == "Q8_0"]
    assert quantised
    assert all(0.003 < r.error.relative_error < 0.0087 for r in quantised)
    assert all(r.error.snr_db > 40 for r in quantised)
    assert report.numeric_violations == []


def test_reference_of_another_model_is_refused(tmp_path: Path) -> None:
    other = _other_model(tmp_path)
    options = RunOptions(model=Q8_0, prompt="", reference=other, config=TraceConfig.full())
    with pytest.raises(ConfigError, match="no reference"):
        run(options, ContractRegistry.builtin(), Policy(), [])


def _other_model(folder: Path) -> Path:
    import gguf  # noqa: PLC0415 - an extra
    import numpy as np  # noqa: PLC0415

    writer = gguf.GGUFWriter(folder / "other.gguf", "llama")
    writer.add_tensor("token_embd.weight", np.zeros((8, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "other.gguf"


def test_tracing_changes_no_token() -> None:
    """Observing leaves the model as it is."""
    off = report_of(config=TraceConfig.off(), max_tokens=24)
    assert off.token_ids == healthy().token_ids


def test_policy_raise_stops_the_run() -> None:
    with pytest.raises(ContractViolation) as caught:
        report_of(inject="nan@2", policy=Policy(mode=Mode.RAISE))
    assert caught.value.violation.layer == 2


def test_policy_off_checks_nothing() -> None:
    report = report_of(inject="nan@2", policy=Policy(mode=Mode.OFF))
    assert report.checks == 0
    assert report.violations == []


def test_report_is_strict_json_even_with_nan() -> None:
    data = json.dumps(report_of(inject="nan@2").to_dict(), allow_nan=False)
    assert json.loads(data)["violations"][0]["layer"] == 2


def test_violations_reach_other_exporters(tmp_path: Path) -> None:
    options = RunOptions(
        model=Q8_0, prompt="A", max_tokens=3, inject="inf@1", config=TraceConfig.full()
    )
    path = tmp_path / "violations.jsonl"
    run(options, ContractRegistry.builtin(), Policy(), [JsonlExporter(path)])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["layer"] == 1
