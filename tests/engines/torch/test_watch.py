"""Claims about watching PyTorch models, on small random ones of many families."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp
from tracepact.errors import ConfigError, ContractViolation
from tracepact.model import TraceConfig

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
transformers = pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402
from watched import Watched, batch, generate  # noqa: E402

FAMILIES = sorted(families.CONFIGS)


def hooks(model: Any) -> int:
    ordinary = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return ordinary + sum("_compiled_call_impl" in m.__dict__ for m in model.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_model_of_any_family_raises_no_alarm_and_writes_the_same(
    family: str, dtype: Any
) -> None:
    model = families.build(family, dtype=dtype)
    expected = generate(model)
    watched = Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        found = generate(model)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert torch.equal(found, expected)
    assert hooks(model) == 0
    checks = {row.trace: row.checks for row in tracer.summary.rows()}
    assert all(checks.values())


def test_logits_are_bit_identical() -> None:
    model = families.build("llama")
    ids, mask = batch()
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).logits
        with tp.trace(model, layer=Watched().layer):
            found = model(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(found, expected)


def planted(module: Any, value: float) -> Any:
    """A foreign hook that writes one element of a module's result."""

    def hook(module: Any, arguments: Any, output: Any) -> Any:
        first = (output[0] if isinstance(output, tuple) else output).clone()
        first[0, -1, 0] = value
        return (first, *output[1:]) if isinstance(output, tuple) else first

    return module.register_forward_hook(hook)


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "inf"])
@pytest.mark.parametrize(
    ("path", "layer", "brick"),
    [
        ("model.layers.1.mlp.down_proj", 1, "DownProjection"),
        ("model.layers.2.self_attn.q_proj", 2, "QkvProjection"),
        ("model.layers.0.post_attention_layernorm", 0, "RmsNorm"),
        ("model.layers.1", 1, None),
        ("lm_head", None, "LmHead"),
    ],
)
def test_value_that_is_not_finite_is_named_where_it_began(
    path: str, layer: int | None, brick: str | None, value: float
) -> None:
    model = families.build("llama")
    watched = Watched()
    handle = planted(model.get_submodule(path), value)
    with tp.trace(model, layer=watched.layer):
        generate(model, 2)
    handle.remove()
    first = watched.violations[0]
    assert (first.layer, first.brick) == (layer, brick)


def test_attention_row_that_was_scaled_is_named() -> None:
    model = families.build("qwen3")

    def hook(module: Any, arguments: Any, output: Any) -> Any:
        weights = output[1].clone()
        weights[2, 1, -1] *= 0.93
        return output[0], weights

    handle = model.model.layers[1].self_attn.register_forward_hook(hook)
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        generate(model, 2)
    handle.remove()
    first = watched.violations[0]
    assert (first.trace, first.layer, first.brick) == ("MLT-02", 1, "AttentionSoftmax")


def test_weight_that_changes_after_attaching_is_named() -> None:
    model = families.build("gpt2")
    watched = Watched()
    with tp.trace(model, layer=watched.layer), torch.no_grad():
        generate(model, 2)
        assert watched.violations == []
        model.transformer.h[1].mlp.c_fc.weight[3, 5] += 1.0
        generate(model, 2)
    first = watched.violations[0]
    assert (first.layer, first.brick) == (1, "UpProjection")


def test_module_that_is_swapped_for_a_wrong_one_is_named() -> None:
    model = families.build("llama")
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        norm = model.model.layers[2].input_layernorm
        norm.forward = torch.nn.Identity().forward
        generate(model, 1)
    del norm.forward
    first = watched.violations[0]
    assert (first.layer, first.brick) == (2, "RmsNorm")


def test_static_cache_without_room_is_reported_before_it_overflows() -> None:
    model = families.build("llama")
    cache = transformers.StaticCache(config=model.config, max_cache_len=8)
    watched = Watched()
    ids = torch.randint(3, families.VOCABULARY, (1, 6))
    with tp.trace(model, layer=watched.layer), torch.inference_mode():
        model(input_ids=ids, past_key_values=cache)
        assert watched.violations == []
        with pytest.raises(IndexError):
            model(input_ids=ids, past_key_values=cache)
    assert {v.trace for v in watched.violations} == {"MLT-05"}


def test_exception_in_a_module_leaves_the_next_pass_clean() -> None:
    model = families.build("llama")
    watched = Watched()

    def fail(module: Any, arguments: Any) -> None:
        raise RuntimeError("out of memory")

    with tp.trace(model, layer=watched.layer) as tracer:
        handle = model.model.layers[1].mlp.register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            generate(model, 1)
        handle.remove()
        generate(model, 3)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert tracer.summary.forwards == 3
    assert hooks(model) == 0


def test_policy_raise_stops_the_generation_with_the_violation() -> None:
    model = families.build("llama")
    watched = Watched(mode="raise")
    handle = planted(model.model.layers[1].mlp, float("nan"))
    with (
        tp.trace(model, layer=watched.layer),
        pytest.raises(ContractViolation, match="layer 1"),
    ):
        generate(model, 2)
    handle.remove()
    assert hooks(model) == 0


def test_fault_inside_a_check_is_counted_and_the_model_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = families.build("llama")
    expected = generate(model)
    watched = Watched()

    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError

    with tp.trace(model, layer=watched.layer):
        monkeypatch.setattr("tracepact.engines.torch.kv_cache.layers_of", broken)
        assert torch.equal(generate(model), expected)
    assert sum(watched.layer.faults.values()) > 0


@pytest.mark.parametrize("off", ["config", "policy"])
def test_nothing_is_put_on_where_nothing_is_looked_at(off: str) -> None:
    model = families.build("llama")
    layer = Watched(mode="off" if off == "policy" else "log").layer
    config = TraceConfig.off() if off == "config" else None
    with tp.trace(model, layer=layer, config=config):
        assert hooks(model) == 0


def test_model_that_is_traced_is_not_traced_twice() -> None:
    model = families.build("llama")
    with (
        tp.trace(model, layer=Watched().layer),
        pytest.raises(ConfigError, match="traced already"),
        tp.trace(model, layer=Watched().layer),
    ):
        pass
    with tp.trace(model, layer=Watched().layer):
        pass


def test_threads_run_one_model_at_the_same_time() -> None:
    model = families.build("llama")
    watched = Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        threads = [threading.Thread(target=generate, args=(model, 4)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert tracer.summary.forwards == 16
    assert hooks(model) == 0


def test_encoder_gets_activations_and_bricks() -> None:
    model = families.bert()
    watched = Watched()
    ids, _ = batch()
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0  # on the right
    with tp.trace(model, layer=watched.layer) as tracer, torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    rows = {row.trace: row.checks for row in tracer.summary.rows()}
    assert rows["MLT-01"] > 0
    assert rows["MLT-02"] > 0


def test_padding_rows_do_not_count() -> None:
    model = families.build("llama")
    ids, mask = batch()
    watched = Watched()

    def hook(module: Any, arguments: Any, output: Any) -> Any:
        broken = output.clone()
        broken[3, 0] = float("nan")  # padding of the last sequence
        return broken

    handle = model.model.layers[2].mlp.down_proj.register_forward_hook(hook)
    with tp.trace(model, layer=watched.layer), torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
    handle.remove()
    assert watched.violations == []


def test_training_keeps_no_graph_and_raises_no_alarm() -> None:
    model = families.build("llama").train()
    ids, _ = batch()
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        model(input_ids=ids, labels=ids).loss.backward()
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def test_plain_module_is_watched_as_custom_bricks() -> None:
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.ReLU(), torch.nn.Linear(8, 2)
    )
    watched = Watched()
    with tp.trace(model, layer=watched.layer), torch.inference_mode():
        model(torch.randn(3, 4))
        assert watched.violations == []
        model(torch.full((3, 4), float("nan")))
    assert watched.violations[0].brick == "LayerNorm"


def test_violation_names_the_sequence_of_the_batch_and_the_request() -> None:
    model = families.build("llama")

    def hook(module: Any, arguments: Any, output: Any) -> Any:
        if output.shape[1] > 1:
            return output
        broken = output.clone()
        broken[2, 0, 5] = float("nan")
        return broken

    handle = model.model.layers[1].mlp.register_forward_hook(hook)
    watched = Watched()
    with (
        tp.trace(model, layer=watched.layer),
        tp.request(["a", "b", "c", "d"], on_violation="raise"),
        pytest.raises(ContractViolation, match="request c"),
    ):
        generate(model, 3)
    handle.remove()
    root, *followed = watched.violations
    assert (root.layer, root.batch, root.request, root.role) == (1, 2, "c", "root")
    assert {v.role for v in followed} == {"consequence"}
    # The cache tells the layer, and not whose positions they are.
    assert {v.request for v in followed if v.trace != "MLT-05"} == {"c"}


def test_padded_prompt_names_the_sequence_too() -> None:
    model = families.build("llama")
    ids, mask = batch()

    def hook(module: Any, arguments: Any, output: Any) -> Any:
        broken = output.clone()
        broken[1, 7] = float("inf")
        return broken

    handle = model.model.layers[0].mlp.register_forward_hook(hook)
    watched = Watched()
    with tp.trace(model, layer=watched.layer), torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
    handle.remove()
    assert {v.batch for v in watched.violations if v.trace != "MLT-05"} == {1}
    assert [v.role for v in watched.violations].count("root") == 1


def test_reference_in_a_finer_type_explains_rounding() -> None:
    model = families.build("qwen2", dtype=torch.bfloat16)
    watched = Watched()
    reference = families.build("qwen2")
    with tp.trace(model, layer=watched.layer, reference=reference) as tracer:
        generate(model, 21)
    assert watched.violations == []
    row = next(row for row in tracer.summary.rows() if row.trace == "MLT-04")
    assert row.records == 21
    assert 1e-4 < row.worst < 1e-2


def test_weight_that_was_wrong_from_the_start_is_found_by_a_reference() -> None:
    model = families.build("llama", dtype=torch.bfloat16)
    with torch.no_grad():
        model.model.layers[1].self_attn.k_proj.weight[3] *= 4
    watched = Watched()
    reference = families.build("llama")
    with tp.trace(model, layer=watched.layer, reference=reference):
        generate(model, 21)
    assert {(v.trace, v.layer, v.brick) for v in watched.violations} == {
        ("MLT-04", 1, "QkvProjection")
    }


@pytest.mark.filterwarnings("ignore:.*quantiz:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*quantiz:UserWarning")
def test_packed_weights_are_held_against_a_reference() -> None:
    model = families.build("llama")
    packed = torch.ao.quantization.quantize_dynamic(families.build("llama"), {torch.nn.Linear})
    watched = Watched()
    with tp.trace(packed, layer=watched.layer, reference=model) as tracer:
        generate(packed, 21)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    row = next(row for row in tracer.summary.rows() if row.trace == "MLT-04")
    assert row.records == 21


def test_reference_that_is_another_model_is_refused() -> None:
    model = families.build("llama")
    with (
        pytest.raises(ConfigError, match="no product"),
        tp.trace(model, layer=Watched().layer, reference=families.build("gpt2")),
    ):
        pass
    assert hooks(model) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("gemma2",)])
def test_fused_attention_agrees_with_rows_that_are_computed_anew(family: str, dtype: Any) -> None:
    model = families.build(family, dtype=dtype, attention="sdpa")
    expected = generate(model, 13)
    watched = Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        found = generate(model, 13)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert torch.equal(found, expected)
    row = next(row for row in tracer.summary.rows() if row.trace == "MLT-02")
    assert (row.records, row.checks) == (4, 16)  # passes 0, 4, 8 and 12
    assert "computed anew" in row.note


def test_fused_kernel_that_gives_out_something_else_is_named() -> None:
    class Damage(torch.overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            ret = func(*args, **(kwargs or {}))
            is_kernel = func is torch.nn.functional.scaled_dot_product_attention
            return ret * 0.93 if is_kernel else ret

    model = families.build("llama", attention="sdpa")
    watched = Watched()
    with tp.trace(model, layer=watched.layer), Damage():
        generate(model, 1)
    first = watched.violations[0]
    assert (first.trace, first.layer, first.brick) == ("MLT-02", 0, "AttentionOutput")


def test_model_that_cannot_be_watched_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = families.build("llama")

    def broken(mapped: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("tracepact.engines.torch.watch.known_fields", broken)
        with pytest.raises(MemoryError), tp.trace(model, layer=Watched().layer):
            pass
    assert hooks(model) == 0
    with tp.trace(model, layer=Watched().layer):
        generate(model, 1)


def test_profiler_gets_the_times_of_bricks_and_no_exception_of_its_own() -> None:
    model = families.build("llama")
    profiler = tp.BrickProfiler()
    watched = Watched()

    def fail(module: Any, arguments: Any) -> None:
        raise RuntimeError("out of memory")

    with tp.trace(model, layer=watched.layer, profiler=profiler):
        handle = model.model.layers[1].mlp.act_fn.register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            generate(model, 1)
        handle.remove()
        generate(model, 5)
    assert watched.violations == []
    bricks = {brick for _, brick in profiler.samples[tp.profiling.Phase.DECODE]}
    assert {"RmsNorm", "QkvProjection", "Activation", "LmHead", "Embedding"} <= bricks


def test_compiled_model_is_watched_at_its_ends_and_writes_the_same() -> None:
    model = families.build("llama")
    ids, mask = batch()
    with torch.inference_mode():
        compiled = torch.compile(model, backend="eager")
        expected = compiled(input_ids=ids, attention_mask=mask).logits
        watched = Watched()
        with tp.trace(compiled, layer=watched.layer) as tracer:
            found = compiled(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(found, expected)
    assert watched.violations == []
    checks = {row.trace: row.checks for row in tracer.summary.rows()}
    assert checks["MLT-05"] > 0
    assert checks["MLT-01"] == 0


@pytest.mark.parametrize("is_first", [True, False], ids=["then traced", "while it is traced"])
def test_model_that_is_compiled_in_place_is_no_alarm_and_writes_the_same(is_first: bool) -> None:
    ids, mask = torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.long)
    expected = families.build("llama")(input_ids=ids, attention_mask=mask).logits
    model, watched = families.build("llama"), Watched()
    if is_first:
        model.compile(backend="eager", fullgraph=True)
        theirs = model._compiled_call_impl
    with torch.no_grad(), tp.trace(model, layer=watched.layer) as tracer:
        if not is_first:
            model.compile(backend="eager")
            theirs = model._compiled_call_impl
        for _ in range(2):
            found = model(input_ids=ids, attention_mask=mask).logits
            assert torch.equal(found, expected)
        assert (tracer.last.kv_cache is not None) == is_first
    assert model._compiled_call_impl is theirs
    assert torch.equal(model(input_ids=ids, attention_mask=mask).logits, expected)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


@pytest.mark.parametrize("compiled", ["forward", "layer", "layer in place"])
def test_parts_that_are_compiled_raise_no_alarm_and_write_the_same(compiled: str) -> None:
    model = families.build("llama")
    expected = generate(model)
    if compiled == "forward":
        model.forward = torch.compile(model.forward, backend="eager")
    elif compiled == "layer":
        model.model.layers[1] = torch.compile(model.model.layers[1], backend="eager")
    else:
        model.model.layers[0].compile(backend="eager")
    watched = Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        assert torch.equal(generate(model), expected)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert tracer.summary.checks["MLT-05"] > 0
