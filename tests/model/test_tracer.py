"""The model tracer takes five traces and checks each against its contract."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.errors import ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.model import KvCacheRecord, ModelTracer, TraceConfig
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy, Violation
from tracepact.types import Array, BrickId

D, HEADS, VOCABULARY, LAYERS = 16, 2, 40, 3


def traced(
    config: TraceConfig | None = None, policy: Policy | None = None
) -> tuple[ModelTracer, list[Violation]]:
    memory = MemoryExporter()
    layer = ContractTracingLayer(ContractRegistry.builtin(), [memory], policy or Policy())
    return ModelTracer(layer, config), memory.violations


def normal(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def kv_record(**changes: float) -> KvCacheRecord:
    healthy = KvCacheRecord(
        used=4,
        capacity=8,
        bytes_used=512,
        bytes_total=1024,
        evictions=0,
        hit_rate=0.75,
        oldest_position=0,
        fragmentation=0.0,
        nonfinite=0,
        guard_writes=0,
    )
    return dataclasses.replace(healthy, **changes)  # type: ignore[arg-type]


def test_activation_statistics_are_recorded_by_layer_and_point() -> None:
    tracer, violations = traced()
    value = normal(3, D)
    tracer.begin_forward(0)
    tracer.record_activation(1, "post-ffn", value)
    record = tracer.end_forward().activations[0]
    assert (record.layer, record.point) == (1, "post-ffn")
    assert record.stats.count == value.size
    assert record.stats.mean == pytest.approx(value.mean(dtype=np.float64))
    assert record.stats.std == pytest.approx(value.std(dtype=np.float64))
    assert record.stats.l2 == pytest.approx(np.linalg.norm(value.astype(np.float64)))
    assert not violations


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_activation_that_is_not_finite_is_named_with_layer_and_element(bad: float) -> None:
    tracer, violations = traced()
    value = normal(3, D)
    value[2, 5] = bad
    tracer.begin_forward(7)
    tracer.record_activation(1, "post-norm", value, brick=BrickId.RmsNorm)
    tracer.end_forward()
    (violation,) = violations
    assert violation.contract == "activation-kernel-v1"
    assert (violation.trace, violation.layer, violation.brick) == ("MLT-01", 1, "RmsNorm")
    assert (violation.index, violation.step) == ((2, 5), 7)


def test_large_activations_are_healthy() -> None:
    """Healthy models reach 22 500 in single channels; magnitude alone is no violation."""
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_activation(0, "post-ffn", np.full((2, D), 22_500, np.float32))
    tracer.end_forward()
    assert not violations


def test_output_of_a_layer_is_not_measured_again_as_input_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracer, _ = traced()
    value = normal(1, D)
    tracer.begin_forward(0)
    tracer.record_activation(0, "output", value)
    checks = tracer.layer.checks
    tracer.record_activation(1, "input", value)
    assert tracer.layer.checks == checks
    first, second = tracer.end_forward().activations
    assert second.stats == first.stats


def test_residual_ratio_is_near_one_when_a_layer_adds_nothing() -> None:
    tracer, _ = traced()
    tracer.begin_forward(0)
    for point, scale in (("input", 1.0), ("post-attention", 1e-4), ("post-ffn", 1e-4)):
        tracer.record_activation(0, point, normal(1, D) * np.float32(scale))
    tracer.end_forward()
    assert tracer.summary.residual_ratio.value > 0.99


def test_attention_record_describes_the_newest_token() -> None:
    tracer, violations = traced()
    weights = np.zeros((2, 2, 12), np.float32)
    weights[:, 0, 0] = 1.0
    weights[0, 1, 0], weights[0, 1, 5] = 0.75, 0.25
    weights[1, 1, 11] = 1.0
    tracer.begin_forward(0)
    tracer.record_attention(2, weights)
    (record,) = tracer.end_forward().attention
    assert record.top_positions[0, :2].tolist() == [0, 5]
    assert record.top_weights[0, :2].tolist() == [0.75, 0.25]
    assert record.entropy[0] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert record.entropy[1] == 0
    assert record.tail_mass.tolist() == [0, 0]
    assert record.patterns == ["sink", "recent"]
    assert record.row_sum_error == 0
    assert not violations


def test_logit_record_follows_the_winner_through_the_layers() -> None:
    tracer, _ = traced()
    matrix = np.eye(4, dtype=np.float32)
    hidden = [np.array([h], np.float32) for h in ([1, 0, 0, 0], [0, 2, 1, 0], [0, 3, 0, 1])]
    tracer.begin_forward(0)
    for index, state in enumerate(hidden):
        tracer.record_activation(index, "output", state)
    tracer.record_logits(
        hidden[-1][0], lens=lambda h, t: h @ (matrix if t is None else matrix[t]).T
    )
    record = tracer.end_forward().logits
    assert record is not None
    assert record.tokens[:2].tolist() == [1, 3]
    assert record.deciding_layer == 1
    assert record.layer_ranks is not None
    assert record.layer_ranks[:, 0].tolist() == [1, 0, 0]


def test_no_layer_decides_where_there_is_nan() -> None:
    tracer, _ = traced()
    state = np.array([[np.nan, 1.0]], np.float32)
    tracer.begin_forward(0)
    tracer.record_activation(0, "output", state)
    tracer.record_logits(state[0], lens=lambda h, t: h if t is None else h[:, t])
    record = tracer.end_forward().logits
    assert record is not None
    assert record.deciding_layer is None


def test_full_ranks_count_the_whole_vocabulary() -> None:
    tracer, _ = traced(dataclasses.replace(TraceConfig.full(), top_k=1, full_ranks=True))
    matrix = np.eye(4, dtype=np.float32)
    tracer.begin_forward(0)
    tracer.record_activation(0, "output", np.array([[3, 2, 1, 0]], np.float32))
    tracer.record_logits(
        np.array([0, 0, 5, 0], np.float32),
        lens=lambda h, t: h @ (matrix if t is None else matrix[t]).T,
    )
    record = tracer.end_forward().logits
    assert record is not None
    assert record.layer_ranks is not None
    assert record.layer_ranks.tolist() == [[2]]
    assert record.deciding_layer is None


def test_logit_beyond_its_bound_is_a_violation() -> None:
    tracer, violations = traced()
    norms = np.full(VOCABULARY, 2.0)
    values = np.zeros(VOCABULARY, np.float32)
    values[17] = -2.5
    tracer.begin_forward(0)
    tracer.record_logits(values, row_norms=norms)
    record = tracer.end_forward().logits
    (violation,) = violations
    assert (violation.contract, violation.equation) == ("model-config-algebra-v1", "logit_bound")
    assert (violation.brick, violation.index) == ("LmHead", (17,))
    assert record is not None
    assert record.bound_utilization == pytest.approx(1.25)


def test_quantisation_error_beyond_its_type_is_a_violation() -> None:
    tracer, violations = traced()
    reference = normal(64, 64)
    tracer.begin_forward(0)
    good = tracer.record_quantisation(
        "w", "Q4_0", reference, reference * np.float32(1.01), threshold=0.1, layer=1
    )
    bad = tracer.record_quantisation(
        "w", "Q4_0", reference, reference[::-1], threshold=0.1, layer=2, brick="UpProjection"
    )
    tracer.end_forward()
    assert good is not None
    assert good.relative_error == pytest.approx(0.01, rel=1e-3)
    assert bad is not None
    assert bad.cosine < 0.2
    assert {(v.layer, v.brick) for v in violations} == {(2, "UpProjection")}
    assert {v.trace for v in violations} == {"MLT-04"}


@pytest.mark.parametrize(
    ("record", "layer"),
    [
        (kv_record(used=9), None),
        (kv_record(nonfinite=3), 2),
        (kv_record(guard_writes=3), 2),
    ],
)
def test_kv_cache_fault_names_its_layer(record: KvCacheRecord, layer: int | None) -> None:
    tracer, violations = traced()
    per_layer = np.array([0, 0, 3])
    nothing = np.zeros(3, int)
    tracer.begin_forward(0)
    tracer.record_kv_cache(
        record,
        nonfinite=per_layer if record.nonfinite else nothing,
        guard_writes=per_layer if record.guard_writes else nothing,
    )
    tracer.end_forward()
    (violation,) = violations
    assert (violation.trace, violation.contract) == ("MLT-05", "gpu-decode-profiling-v1")
    assert (violation.layer, violation.brick) == (layer, "KvCacheWrite")


def test_brick_is_checked_against_the_contract_of_its_kernel() -> None:
    tracer, violations = traced()
    x, weight = normal(2, D), np.ones(D, np.float32)
    ret = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    tracer.begin_forward(0)
    tracer.record_brick("RmsNorm", 0, {"x": x, "weight": weight, "eps": 1e-5, "ret": ret})
    tracer.record_brick("RmsNorm", 1, {"x": x, "weight": weight, "eps": 1e-5, "ret": ret * 1.1})
    traces = tracer.end_forward()
    assert {(v.contract, v.layer) for v in violations} == {("rmsnorm-kernel-v1", 1)}
    assert [r.point for r in traces.activations] == ["post-norm", "post-norm"]


def test_nan_in_a_brick_is_named_by_its_trace_first() -> None:
    tracer, violations = traced()
    ret = normal(2, D)
    ret[0, 3] = np.nan
    fields = {"x": normal(2, D), "weight": np.ones(D, np.float32), "eps": 1e-5, "ret": ret}
    tracer.begin_forward(0)
    tracer.record_brick("RmsNorm", 1, fields)
    tracer.end_forward()
    assert [v.contract for v in violations][0] == "activation-kernel-v1"
    assert "rmsnorm-kernel-v1" in {v.contract for v in violations}


def test_custom_brick_without_a_contract_passes() -> None:
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_brick("MyOwnBrick", 0, {"ret": normal(2, D)})
    tracer.end_forward()
    assert not violations


def test_lightweight_takes_activations_and_cache_only() -> None:
    tracer, _ = traced(TraceConfig.lightweight())
    tracer.begin_forward(0)
    tracer.record_activation(0, "input", normal(1, D))
    tracer.record_attention(0, np.ones((1, 1, 1), np.float32))
    tracer.record_logits(normal(VOCABULARY), row_norms=np.full(VOCABULARY, 100.0))
    tracer.record_quantisation("w", "F32", normal(4), normal(4), threshold=1)
    tracer.record_kv_cache(kv_record(), nonfinite=np.zeros(3), guard_writes=np.zeros(3))
    traces = tracer.end_forward()
    assert len(traces.activations) == 1
    assert traces.kv_cache is not None
    assert not traces.attention
    assert traces.logits is None
    assert not traces.quantisation


@pytest.mark.parametrize("config", [TraceConfig.off(), TraceConfig.full()])
def test_nothing_is_recorded_when_off(config: TraceConfig) -> None:
    """Off by configuration or by policy: no check runs."""
    mode = Mode.LOG if config.is_off else Mode.OFF
    tracer, violations = traced(config, Policy(mode=mode))
    tracer.begin_forward(0)
    tracer.record_activation(0, "input", np.full((1, D), np.nan))
    tracer.record_brick("RmsNorm", 0, {"ret": np.full((1, D), np.nan)})
    tracer.end_forward()
    assert not violations
    assert tracer.layer.checks == 0


def test_sampling_skips_whole_passes() -> None:
    tracer, violations = traced(policy=Policy(sampler=EveryNth(2)))
    for position in range(4):
        tracer.begin_forward(position)
        tracer.record_activation(0, "input", np.full((1, D), np.nan))
        tracer.end_forward()
    assert [v.step for v in violations] == [0, 2]


def test_raise_policy_raises_when_the_pass_ends() -> None:
    tracer, _ = traced(policy=Policy(mode=Mode.RAISE))
    tracer.begin_forward(0)
    tracer.record_activation(4, "input", np.full((1, D), np.nan))
    with pytest.raises(ContractViolation) as caught:
        tracer.end_forward()
    assert caught.value.violation.layer == 4


def test_fault_in_a_trace_never_reaches_the_model() -> None:
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_attention(0, None)  # type: ignore[arg-type]
    tracer.record_quantisation("w", "F32", normal(3), normal(4), threshold=1)
    tracer.end_forward()
    assert len(tracer.layer.faults) == 2
    assert [v.verdict for v in violations] == ["unbound"] * 3


def test_tracer_without_a_layer_checks_the_shipped_contracts() -> None:
    tracer = ModelTracer()
    tracer.begin_forward(0)
    tracer.record_activation(0, "input", np.full((1, D), np.nan))
    assert [v.contract for v in tracer.end_forward().violations] == ["activation-kernel-v1"]


def test_end_forward_with_contracts_checks_against_another_registry(tmp_path: Path) -> None:
    (tmp_path / "activation-kernel-v1.yaml").write_text(
        "metadata: {version: 1.0.0, references: [none]}\n"
        "equations:\n  finite:\n    formula: f\n    postconditions: ['max(ret) < 10']\n"
    )
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_activation(1, "post-ffn", np.full((1, D), 50, np.float32))
    tracer.end_forward_with_contracts(ContractRegistry.load(tmp_path))
    (violation,) = violations
    assert (violation.expression, violation.layer) == ("max(ret) < 10", 1)


def test_end_forward_with_the_layers_own_registry_reports_once() -> None:
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_activation(0, "input", np.full((1, D), np.nan))
    tracer.end_forward_with_contracts(tracer.layer.registry)
    assert len(violations) == 1


def test_summary_has_a_row_for_each_trace_with_its_worst_layer() -> None:
    tracer, _ = traced()
    for position in range(2):
        tracer.begin_forward(position)
        for layer in range(LAYERS):
            tracer.record_activation(layer, "post-ffn", normal(1, D) * (layer + 1))
        tracer.end_forward()
    rows = tracer.summary.rows()
    assert [row.trace for row in rows] == [f"MLT-0{n}" for n in range(1, 6)]
    assert (rows[0].records, rows[0].layer, rows[0].where) == (2 * LAYERS, 2, "post-ffn")
    assert rows[0].worst == pytest.approx(float(np.abs(normal(1, D) * LAYERS).max()))
    assert rows[1].records == 0


def test_other_registry_is_silent_on_a_healthy_pass_and_finds_a_broken_row(tmp_path: Path) -> None:
    library = Path(next(iter(ContractRegistry.builtin().contracts.values())).path).parent
    other = ContractRegistry.load(library)
    for scale, expected in ((1.0, []), (0.92, ["abs(row_sums(ret) - 1) <= tol"])):
        layer = ContractTracingLayer(ContractRegistry(), [memory := MemoryExporter()], Policy())
        tracer = ModelTracer(layer)
        tracer.begin_forward(0)
        tracer.record_activation(0, "input", normal(2, D))
        tracer.record_attention(0, np.full((2, 3, 4), 0.25 * scale, np.float32))
        tracer.record_logits(normal(VOCABULARY), row_norms=np.full(VOCABULARY, 100.0))
        tracer.end_forward_with_contracts(other)
        assert [v.expression for v in memory.violations] == expected
        assert layer.checks > 3


def test_what_runs_after_a_pass_is_reported_too() -> None:
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.end_forward()
    fields = {"logits": normal(VOCABULARY), "vocab_size": VOCABULARY, "ret": np.array(-3)}
    tracer.record_brick("Sampling", None, fields)
    tracer.report()
    tracer.report()
    assert {v.brick for v in violations} == {"Sampling"}
    assert len(violations) == len({v.expression for v in violations})


def test_threads_share_a_tracer_without_mixing_their_passes() -> None:
    tracer, violations = traced()
    barrier = threading.Barrier(2)

    def work(bad: bool) -> None:
        tracer.begin_forward(int(bad))
        barrier.wait(timeout=10)
        tracer.record_activation(0, "input", np.full((1, D), np.nan if bad else 1.0))
        barrier.wait(timeout=10)
        tracer.end_forward()

    threads = [threading.Thread(target=work, args=(bad,)) for bad in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [v.step for v in violations] == [1]
    assert tracer.summary.forwards == 2


def test_softmax_is_checked_as_a_brick_where_attention_is_not_traced() -> None:
    tracer, violations = traced(TraceConfig(bricks=True))
    tracer.begin_forward(0)
    tracer.record_brick("AttentionSoftmax", 1, {"ret": np.full((1, 1, 4), 0.23, np.float32)})
    tracer.end_forward()
    assert [(v.contract, v.layer) for v in violations] == [("softmax-kernel-v1", 1)]


def test_hidden_states_are_kept_as_they_were() -> None:
    """A residual stream that is updated in place must not change what was recorded."""
    tracer, _ = traced()
    matrix = np.eye(2, dtype=np.float32)
    stream = np.array([[1.0, 0.0]], np.float32)
    tracer.begin_forward(0)
    tracer.record_activation(0, "output", stream)
    stream[:] = [[0.0, 1.0]]
    tracer.record_activation(1, "output", stream)
    tracer.record_logits(stream[0], lens=lambda h, t: h @ (matrix if t is None else matrix[t]).T)
    record = tracer.end_forward().logits
    assert record is not None
    assert record.deciding_layer == 1


def test_padded_row_of_the_vocabulary_has_no_share_in_the_bound() -> None:
    tracer, violations = traced()
    tracer.begin_forward(0)
    tracer.record_logits(np.array([0.0, 1.0]), row_norms=np.array([0.0, 2.0]))
    record = tracer.end_forward().logits
    assert record is not None
    assert record.bound_utilization == 0.5
    assert not violations
