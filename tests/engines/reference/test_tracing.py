"""The adapter between the reference engine, the tracer and the profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.core import using_core
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.engines.reference.tracing import SAMPLED_PASSES, SAMPLED_ROWS, TracingProbe
from tracepact.model import ModelTracer, TraceConfig, activations, kv_cache, logits, quantisation
from tracepact.profiling import BrickProfiler, profile_report
from tracepact.tracing import ContractTracingLayer
from tracepact.types import BrickId

MODEL = Path(__file__).parents[3] / "models" / "tracepact-tales-q8_0.gguf"
PROMPT = [5, 6, 7, 8]
pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model() -> ReferenceModel:
    return ReferenceModel.load(MODEL, checksums=True)


def tracer() -> ModelTracer:
    return ModelTracer(ContractTracingLayer(ContractRegistry.builtin(), []))


def test_all_five_traces_are_taken_of_every_pass(model: ReferenceModel) -> None:
    traced = tracer()
    probe = TracingProbe(model, traced, sampler=Sampler(temperature=0.7, top_p=0.9))
    list(generate(model, PROMPT, max_tokens=3, probe=probe))
    last = traced.last
    layers = model.config.layers
    points = [(r.layer, r.point) for r in last.activations]
    assert {layer for layer, _ in points} == {*range(layers), None}
    assert points.count((0, "post-norm")) == 2
    for point in ("input", "output", "post-attention", "post-ffn"):
        assert points.count((layers - 1, point)) == 1
    assert [record.layer for record in last.attention] == list(range(layers))
    assert last.logits is not None
    assert (last.logits.temperature, last.logits.top_p) == (0.7, 0.9)
    assert last.logits.layer_logits is not None
    assert last.logits.layer_logits.shape == (layers, 5)
    assert len(last.quantisation) == 1
    assert last.kv_cache is not None
    assert last.kv_cache.used == len(PROMPT) + 2
    assert last.violations == []


def test_logits_of_the_last_layer_by_the_lens_are_those_of_the_model(
    model: ReferenceModel,
) -> None:
    traced = tracer()
    list(generate(model, PROMPT, max_tokens=1, probe=TracingProbe(model, traced)))
    record = traced.last.logits
    assert record is not None
    assert record.layer_logits is not None
    assert np.allclose(record.layer_logits[-1], record.logits, rtol=1e-4, atol=1e-4)


def test_quantisation_samples_one_projection_after_the_other(model: ReferenceModel) -> None:
    traced = tracer()
    seen = []
    probe = TracingProbe(model, traced)
    for _ in generate(model, PROMPT, max_tokens=3 * SAMPLED_PASSES, probe=probe):
        seen += [(r.layer, r.brick) for r in traced.last.quantisation]
    assert len(seen) == 3 * SAMPLED_PASSES
    assert list(dict.fromkeys(seen)) == [
        (0, "QkvProjection"),
        (0, "OutputProjection"),
        (0, "GateProjection"),
    ]


def test_quantisation_samples_other_rows_each_pass(model: ReferenceModel) -> None:
    probe = TracingProbe(model, tracer())
    seen = []
    for _ in generate(model, PROMPT, max_tokens=SAMPLED_PASSES, probe=probe):
        rows, weight = probe._fresh_rows("QkvProjection", 0)
        assert np.allclose(weight, model.weight_of("QkvProjection", 0).weight[rows], atol=1e-6)
        seen.append((rows.start, rows.stop))
    assert len(set(seen)) == SAMPLED_PASSES
    assert {stop - start for start, stop in seen} == {SAMPLED_ROWS}


def test_weight_changed_in_memory_is_found_against_the_file(model: ReferenceModel) -> None:
    """MLT-04 reads the file anew, so it sees what happened to the copy in memory."""
    damaged = ReferenceModel.load(MODEL, checksums=True)
    damaged.weight_of("QkvProjection", 0).weight[:] *= np.float32(1.5)
    traced = tracer()
    list(generate(damaged, PROMPT, max_tokens=1, probe=TracingProbe(damaged, traced)))
    found = {(v.trace, v.layer, v.brick) for v in traced.last.violations}
    assert ("MLT-04", 0, "QkvProjection") in found


def test_lightweight_traces_leave_bricks_alone(model: ReferenceModel) -> None:
    traced = ModelTracer(
        ContractTracingLayer(ContractRegistry.builtin(), []), TraceConfig.lightweight()
    )
    list(generate(model, PROMPT, max_tokens=2, probe=TracingProbe(model, traced)))
    assert traced.summary.checks[None] == 0
    assert traced.last.kv_cache is not None
    assert traced.last.kv_cache.nonfinite == 0


def test_probe_without_tracer_only_times(model: ReferenceModel) -> None:
    profiler = BrickProfiler()
    probe = TracingProbe(model, None, profiler)
    list(generate(model, PROMPT, max_tokens=2, probe=probe))
    assert probe.tracing_ns > 0
    assert profile_report(profiler).decode.lm_head_calls == 1


def test_fault_while_looking_at_the_cache_never_reaches_the_model(
    model: ReferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(generate(model, PROMPT, max_tokens=2))

    def broken(*arguments: Any) -> None:
        raise RuntimeError("no cache today")

    monkeypatch.setattr(TracingProbe, "_look_back", broken)
    traced = tracer()
    probe = TracingProbe(model, traced)
    monkeypatch.setattr(probe, "_end_of_pass", None, raising=False)  # the native core's way
    assert list(generate(model, PROMPT, max_tokens=2, probe=probe)) == expected
    assert traced.layer.faults == {"tracing of the KV cache: RuntimeError": 2}


def test_old_position_of_the_cache_that_turned_nan_is_found_in_turn(model: ReferenceModel) -> None:
    traced = tracer()
    generation = generate(model, PROMPT, max_tokens=8, probe=TracingProbe(model, traced))
    next(generation)
    generation.cache.keys[3, 0, 0, 0] = np.nan
    found = []
    for _ in generation:
        found += [(v.trace, v.layer) for v in traced.last.violations]
    assert ("MLT-05", 3) in found


def test_fault_in_the_adapter_never_reaches_the_model(
    model: ReferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(generate(model, PROMPT, max_tokens=3))

    def broken(*arguments: Any, **fields: Any) -> None:
        raise RuntimeError("no rows today")

    monkeypatch.setattr(ReferenceModel, "dequantise_rows", broken)
    traced = tracer()
    got = list(generate(model, PROMPT, max_tokens=3, probe=TracingProbe(model, traced)))
    assert got == expected
    # Once or twice a pass: what the native core cannot decide is looked at again in Python.
    assert traced.layer.faults["tracing: RuntimeError"] in (3, 5)
    assert traced.last.logits is not None
    assert traced.last.kv_cache is not None


@pytest.mark.parametrize("core", ["native", "python"])
def test_what_a_broken_token_left_is_not_mixed_with_the_next_prompt(
    model: ReferenceModel, core: str
) -> None:
    with using_core(core):
        traced = tracer()
        probe = TracingProbe(model, traced)
        probe.begin_forward(0, 1)
        probe.residual(0, "input", np.ones((1, 8), np.float32))
        broken = traced.last
        probe.begin_forward(0, 2)
        probe.residual(0, "input", np.ones((2, 8), np.float32))
        probe.end_forward()
        assert (len(broken.activations), len(traced.last.activations)) == (1, 1)
        assert traced.layer.checks == 2 * len(traced.conditions(activations.EQUATION))


@pytest.mark.parametrize("core", ["native", "python"])
def test_layer_may_be_a_number_of_numpy(model: ReferenceModel, core: str) -> None:
    with using_core(core):
        traced = tracer()
        probe = TracingProbe(model, traced)
        probe.begin_forward(0, 1)
        value = np.ones((1, 8), np.float32)
        probe.residual(np.int64(1), "input", value)  # type: ignore[arg-type]
        probe.run("RmsNorm", np.int64(1), lambda **given: given["x"], x=value)  # type: ignore[arg-type]
        probe.end_forward()
        assert [record.layer for record in traced.last.activations] == [1, 1]
        assert not traced.layer.faults


def test_checks_of_a_pass_that_a_kernel_broke_off_are_counted(model: ReferenceModel) -> None:
    def broken(**given: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    def checks(core: str) -> dict[str | None, int]:
        with using_core(core):
            traced = tracer()
            probe = TracingProbe(model, traced)
            probe.begin_forward(0, 1)
            probe.residual(0, "input", np.ones((1, 8), np.float32))
            with pytest.raises(KeyboardInterrupt):
                probe.run(BrickId.RmsNorm, 0, broken, x=np.ones((1, 8), np.float32))
            return dict(+traced.summary.checks)

    assert checks("native") == checks("python") != {}


@pytest.mark.parametrize("store", ["keys", "values"])
@pytest.mark.parametrize(
    ("place", "value", "is_clean"),
    [
        ((1, 1, 4, 0), np.nan, False),
        ((1, 1, 4, 0), np.inf, False),
        ((1, 1, 5, 0), np.nan, True),  # not in use
        ((0, 1, 4, 0), np.nan, True),  # another layer's turn
        ((0, 0, 8, 0), 1e-45, False),
        ((2, 1, 8, 3), np.nan, False),
        ((2, 1, 8, 3), -0.0, True),
    ],
)
def test_held_is_clean_while_its_layer_is_finite_and_every_guard_zero(
    store: str, place: tuple[int, ...], value: float, is_clean: bool
) -> None:
    held_is_clean = pytest.importorskip("tracepact.core._native").held_is_clean
    cache = KvCache(layers=3, capacity=8, kv_heads=2, head_dim=4)
    assert held_is_clean(cache.keys, cache.values, 1, 5, 8)
    getattr(cache, store)[place] = value
    assert held_is_clean(cache.keys, cache.values, 1, 5, 8) is is_clean


def test_held_is_not_clean_where_python_has_to_look() -> None:
    held_is_clean = pytest.importorskip("tracepact.core._native").held_is_clean
    zeros = np.zeros((3, 2, 9, 4), np.float32)
    assert held_is_clean(zeros, zeros, 0, 9, 9)
    assert not held_is_clean(zeros, zeros.astype(np.float64), 0, 5, 8)
    assert not held_is_clean(zeros, zeros[:, :, ::-1], 0, 5, 8)
    assert not held_is_clean(zeros, zeros[0], 0, 5, 8)
    assert not held_is_clean(zeros, [0.0], 0, 5, 8)
    for layer, used, capacity in ((3, 5, 8), (-1, 5, 8), (0, 10, 8), (0, -1, 8), (0, 5, 10)):
        assert not held_is_clean(zeros, zeros, layer, used, capacity)


@pytest.mark.parametrize("core", ["native", "python"])
def test_write_past_the_capacity_is_found_whatever_core_serves(
    model: ReferenceModel, core: str
) -> None:
    with using_core(core):
        traced = tracer()
        generation = generate(model, PROMPT, max_tokens=4, probe=TracingProbe(model, traced))
        next(generation)
        generation.cache.values[2, 0, generation.cache.capacity, 1] = 1.0
        next(generation)
    assert ("MLT-05", 2) in {(v.trace, v.layer) for v in traced.last.violations}
    assert traced.last.kv_cache is not None
    assert traced.last.kv_cache.guard_writes == 1


@pytest.mark.parametrize("core", ["native", "python"])
def test_records_at_the_end_of_a_pass_are_the_same_on_both_cores(
    model: ReferenceModel, core: str
) -> None:
    with using_core("python"):
        plain = tracer()
        list(generate(model, PROMPT, max_tokens=3, probe=TracingProbe(model, plain)))
    with using_core(core):
        traced = tracer()
        list(generate(model, PROMPT, max_tokens=3, probe=TracingProbe(model, traced)))
    found, wanted = traced.last, plain.last
    assert (found.held is not None) == (core == "native")
    assert found.kv_cache == wanted.kv_cache
    assert found.logits is not None
    assert wanted.logits is not None
    assert list(found.logits.tokens) == list(wanted.logits.tokens)
    assert np.allclose(found.logits.logits, wanted.logits.logits, rtol=1e-5)
    assert found.logits.bound_utilization == pytest.approx(wanted.logits.bound_utilization)
    assert found.logits.deciding_layer == wanted.logits.deciding_layer
    (error,), (other,) = found.quantisation, wanted.quantisation
    assert (error.tensor, error.quant_type) == (other.tensor, other.quant_type)
    assert (error.layer, error.brick) == (other.layer, other.brick)
    assert error.error.cosine == pytest.approx(other.error.cosine)
    assert traced.summary.checks == plain.summary.checks
    assert traced.summary.records == plain.summary.records
    assert traced.layer.checks == plain.layer.checks


_REFUSED = """\
metadata: {{version: 1.0.0, references: [a test]}}
equations: {{{equation}: {{formula: f, postconditions: ["{clause}"]}}}}
"""


@pytest.mark.parametrize("core", ["native", "python"])
def test_another_registry_checks_what_has_been_let_through(
    model: ReferenceModel, core: str, tmp_path: Path
) -> None:
    for module, clause in (
        (logits, "logits > inf"),
        (quantisation, "relative_error < 0"),
        (kv_cache, "used < 0"),
    ):
        stem, equation = module.EQUATION
        text = _REFUSED.format(equation=equation, clause=clause)
        (tmp_path / f"{stem}.yaml").write_text(text)
    with using_core(core):
        traced = tracer()
        probe = TracingProbe(model, traced)
        end = traced.end_forward
        other = ContractRegistry.load(tmp_path)

        def end_with_contracts() -> Any:
            traced.end_forward = end  # type: ignore[method-assign]  # which that calls itself
            return traced.end_forward_with_contracts(other)

        generation = generate(model, PROMPT, max_tokens=3, probe=probe)
        next(generation)
        traced.end_forward = end_with_contracts  # type: ignore[method-assign]
        next(generation)
        assert [v.trace for v in traced.last.violations] == ["MLT-04", "MLT-03", "MLT-05"]
