"""Claims about watching llama.cpp, on the model that ships with the project, with both cores."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.core import using_core
from tracepact.engines.llamacpp.injector import LlamaInjector
from tracepact.engines.llamacpp.library import library
from tracepact.errors import ConfigError, ContractViolation
from tracepact.faults import FaultSpec
from tracepact.model import TraceConfig

sys.path.insert(0, str(Path(__file__).parent))

import contexts as models
from contexts import PROMPT, Engine, Watched, engine

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("core")]


@pytest.fixture(params=models.packages())
def package(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def injector(package: str, spec: str, *, at_forward: int = 0) -> LlamaInjector:
    parsed = FaultSpec.parse(spec, models.LAYERS)
    found = LlamaInjector(parsed, library(package), models.LAYERS, at_forward=at_forward, seed=3)
    found.begin_forward()
    return found


@pytest.mark.parametrize("flash", [False, True], ids=["rows", "flash"])
@pytest.mark.parametrize("path", [models.Q8, models.F16], ids=["Q8_0", "F16"])
def test_healthy_model_raises_no_alarm_and_writes_the_same(
    package: str, path: Path, flash: bool
) -> None:
    with engine(package, path, flash=flash) as bare, engine(package, path, flash=flash) as seen:
        expected = bare.write(60)
        watched = Watched()
        with tp.trace(seen.context, layer=watched.layer) as tracer:
            found = seen.write(60)
        assert found == expected
        assert np.array_equal(seen.logits(), bare.logits())
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    rows = {row.trace: row for row in tracer.summary.rows()}
    assert all(row.records and row.checks for row in rows.values())
    assert len(tracer.last.activations) == 6 * models.LAYERS + 1
    assert "computed anew" in rows["MLT-02"].note if flash else not rows["MLT-02"].note


def test_points_of_a_layer_are_those_of_every_engine(package: str) -> None:
    with engine(package) as seen, tp.trace(seen.context, layer=Watched().layer) as tracer:
        seen.write(2)
    points = [each.point for each in tracer.last.activations if each.layer == 1]
    assert points == [
        "input", "post-norm", "post-attention", "post-norm", "post-ffn", "output"
    ]  # fmt: skip
    assert tracer.last.logits is not None
    assert len(tracer.last.logits.hidden) == models.LAYERS
    assert tracer.last.logits.layer_ranks is not None
    assert tracer.last.logits.layer_ranks[-1, 0] == 0
    rows = [each.top_weights.shape for each in tracer.last.attention]
    assert len(rows) == models.LAYERS


@pytest.mark.parametrize(
    ("spec", "layer", "brick", "trace"),
    [
        ("nan@2.DownProjection", 2, "DownProjection", "MLT-01"),
        ("inf@1.OutputProjection", 1, "OutputProjection", "MLT-01"),
        ("nan@3.RmsNorm", 3, "RmsNorm", "MLT-01"),
        ("row-scale@3", 3, "AttentionSoftmax", "MLT-02"),
        ("logit-scale", None, "LmHead", "MLT-03"),
        ("kv-overflow@1", 1, "KvCacheWrite", "MLT-05"),
    ],
)
@pytest.mark.parametrize("at_forward", [0, 2], ids=["prompt", "token"])
def test_planted_fault_is_the_root(
    package: str, spec: str, layer: int | None, brick: str, trace: str, at_forward: int
) -> None:
    fault = injector(package, spec)
    fault._at_forward = 0 if at_forward == 0 and trace != "MLT-05" else 1
    watched = Watched()
    with (
        engine(package, before=fault.before) as seen,
        tp.trace(seen.context, layer=watched.layer),
    ):
        first = seen.write(1)
        fault.begin_forward()
        seen.write(24, prompt=first, position=len(PROMPT))
    root = watched.violations[0]
    assert fault.description is not None
    assert (root.layer, root.brick, root.trace, root.role) == (layer, brick, trace, "root")


def test_scaled_row_is_found_where_rows_are_not_to_be_had(package: str) -> None:
    fault = injector(package, "inf@2.FusedAttention")
    watched = Watched()
    with (
        engine(package, flash=True, before=fault.before) as seen,
        tp.trace(seen.context, layer=watched.layer),
    ):
        seen.write(2)
    assert fault.description is not None
    assert watched.violations[0].layer == 2


def test_native_and_python_core_see_the_same(package: str, core: str) -> None:
    if core == "native":
        pytest.skip("once is enough")
    found = []
    for name in ("python", "native"):
        try:
            block = using_core(name)
        except ConfigError as error:
            pytest.skip(str(error))
        with block, engine(package) as seen:
            watched = Watched()
            with tp.trace(seen.context, layer=watched.layer) as tracer:
                seen.write(20)
            found.append((watched.layer.checks, tracer.summary.rows(), tracer.last.kv_cache))
    (python_checks, python_rows, python_cache), (checks, rows, cache) = found
    assert python_checks == checks
    assert python_cache == cache
    for expected, row in zip(python_rows, rows, strict=True):
        assert row.worst == pytest.approx(expected.worst, rel=1e-5, abs=1e-8)
        assert (row.records, row.checks, row.layer) == (
            expected.records, expected.checks, expected.layer
        )  # fmt: skip


def test_policy_raise_stops_after_the_pass_and_the_context_goes_on(package: str) -> None:
    fault = injector(package, "nan@2.DownProjection")
    watched = Watched("raise")
    with engine(package, before=fault.before) as seen:
        with tp.trace(seen.context, layer=watched.layer):
            with pytest.raises(ContractViolation, match="layer 2"):
                seen.decode(PROMPT, 0)
            assert np.isnan(seen.logits()).any(), "the pass was computed to its end"
        assert seen.decode([7], len(PROMPT)) == 0


def test_request_answers_for_its_own_passes(package: str) -> None:
    fault = injector(package, "nan@2.DownProjection")
    called: list[Any] = []
    watched = Watched()
    with (
        engine(package, before=fault.before) as seen,
        tp.trace(seen.context, layer=watched.layer),
        tp.request("r-17", on_violation=called.extend),
    ):
        seen.decode(PROMPT, 0)
    assert called[0].request == "r-17"
    assert called[0].layer == 2


def test_sequence_of_a_batch_is_named(package: str) -> None:
    name = "n_seq_max"
    fault = injector(package, "nan@2.RmsNorm")
    options: dict[str, Any] = {name: 2}
    if package == "llama_cpp":
        options["kv_unified"] = True
    watched = Watched()
    with (
        engine(package, before=fault.before, **options) as seen,
        tp.trace(seen.context, layer=watched.layer),
    ):
        tokens, sequences = [40, 41, 42, 43, 44, 45], [0, 0, 0, 1, 1, 1]
        assert seen.decode(tokens, 0, sequences, outputs=(2, 5)) == 0
    root = watched.violations[0]
    assert fault.description is not None
    row = int(fault.description.split("[")[1].split("]")[0].split(",")[-2])
    assert (root.layer, root.brick, root.batch) == (2, "RmsNorm", sequences[row])


@pytest.mark.parametrize("is_unified", [True, False], ids=["one cache", "caches apart"])
def test_healthy_batches_of_sequences_raise_no_alarm(package: str, is_unified: bool) -> None:
    options: dict[str, Any] = {"n_seq_max": 4, "positions": 1024}
    if package == "llama_cpp":
        options["kv_unified"] = is_unified
    watched = Watched()
    with engine(package, **options) as seen, tp.trace(seen.context, layer=watched.layer) as tracer:
        for step in range(50):
            tokens = [40 + step, 50 + step, 60 + step, 70 + step]
            assert seen.decode(tokens, step, [0, 1, 2, 3], outputs=(0, 1, 2, 3)) == 0
        assert len(tracer.last.attention) == models.LAYERS
        assert seen.decode([40, 41], 50, [3, 3]) == 0
        assert seen.decode([42], 52, [3]) == 0
    assert dict(watched.layer.faults) == {}
    assert tracer.last.kv_cache is not None
    assert tracer.last.kv_cache.used == 53
    assert watched.violations == []


def test_prompt_in_several_pieces_raises_no_alarm(package: str) -> None:
    watched = Watched()
    with (
        engine(package, n_ubatch=32) as seen,
        tp.trace(seen.context, layer=watched.layer) as tracer,
    ):
        seen.write(4, prompt=[40 + i % 50 for i in range(100)])
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    assert tracer.last.kv_cache is not None
    assert tracer.last.kv_cache.used == 103


@pytest.mark.parametrize("flash", [False, True], ids=["rows", "flash"])
def test_quantised_cache_raises_no_alarm(package: str, flash: bool) -> None:
    watched = Watched()
    q8_0 = 8
    options = {"type_k": q8_0, "type_v": q8_0} if flash else {"type_k": q8_0}
    with (
        engine(package, flash=flash, **options) as seen,
        tp.trace(seen.context, layer=watched.layer),
    ):
        seen.write(40)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def test_cache_that_has_no_room_is_reported(package: str) -> None:
    watched = Watched()
    with engine(package, positions=256) as seen, tp.trace(seen.context, layer=watched.layer):
        positions = (
            int(seen.api.llama_n_ctx(seen.context.pointer)) if package == "llama_cpp" else 256
        )
        assert seen.decode([40] * positions, 0) == 0
        assert watched.violations == []
        assert seen.decode([41], positions) == 1
    root = watched.violations[0]
    assert (root.trace, root.brick) == ("MLT-05", "KvCacheWrite")
    assert "used" in root.message


def test_cache_that_its_owner_changes_raises_no_alarm(package: str) -> None:
    watched = Watched()
    with engine(package) as seen, tp.trace(seen.context, layer=watched.layer):
        seen.write(20)
        pointer = seen.context.pointer
        if package == "llama_cpp":
            memory = seen.api.llama_get_memory(pointer)
            seen.api.llama_memory_clear(memory, True)
        else:
            seen.api.llama_kv_cache_clear(pointer)
        seen.write(40, prompt=[50, 51, 52])
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def test_context_without_a_callback_says_what_to_do(package: str) -> None:
    context = tp.llamacpp.Context(12345, package)
    with pytest.raises(ConfigError, match=r"tp\.llamacpp\.Llama"), tp.trace(context):
        pass


def test_context_is_not_traced_twice_and_is_free_again(package: str) -> None:
    with engine(package) as seen:
        decode = seen.api.llama_decode
        with tp.trace(seen.context, layer=Watched().layer):
            assert seen.api.llama_decode is not decode
            with pytest.raises(ConfigError, match="already"), tp.trace(seen.context):
                pass
        assert seen.api.llama_decode is decode
        with tp.trace(seen.context, layer=Watched().layer) as tracer:
            seen.write(2)
        assert tracer.layer.checks > 0


def test_functions_are_the_packages_own_again_whichever_trace_ends_first(package: str) -> None:
    api = library(package).api
    before = dict(vars(api))
    with engine(package) as one, engine(package) as other:
        first = tp.trace(one.context, layer=Watched().layer)
        second = tp.trace(other.context, layer=Watched().layer)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        other.write(2)
        second.__exit__(None, None, None)
    assert [name for name, value in vars(api).items() if value is not before.get(name)] == []


def test_nothing_is_looked_at_where_nothing_is_wanted(package: str) -> None:
    with engine(package) as seen:
        decode = seen.api.llama_decode
        off = Watched("off")
        settings: tuple[dict[str, Any], ...] = ({"config": TraceConfig.off()}, {"layer": off.layer})
        for times, options in enumerate(settings):
            with tp.trace(seen.context, **options) as tracer:
                assert seen.api.llama_decode is decode
                seen.write(1, position=times * len(PROMPT))
            assert tracer.last.activations == []


def test_passes_that_are_left_out_are_left_out(package: str) -> None:
    memory = tp.exporters.MemoryExporter()
    policy = tp.Policy(sampler=tp.EveryNth(2))
    layer = tp.ContractTracingLayer(tp.ContractRegistry.builtin(), [memory], policy)
    with engine(package) as seen, tp.trace(seen.context, layer=layer) as tracer:
        seen.write(10)
    rows = {row.trace: row for row in tracer.summary.rows()}
    assert rows["MLT-03"].records == 5


def test_fault_of_ours_is_counted_and_never_reaches_the_model(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracepact.engines.llamacpp.watch as room  # noqa: PLC0415

    def broken(*arguments: Any) -> None:
        raise RuntimeError("ours")

    with engine(package) as bare, engine(package) as seen:
        expected = bare.write(5)
        watched = Watched()
        monkeypatch.setattr(room, "node_of", broken)
        with tp.trace(seen.context, layer=watched.layer):
            assert seen.write(5) == expected
    assert sum(watched.layer.faults.values()) > 100
    assert watched.violations == []


def test_contexts_in_threads_do_not_mix(package: str) -> None:
    names = ("nan@1.DownProjection", "nan@3.DownProjection")
    found: dict[str, Any] = {}

    def run(name: str, made: Engine, watched: Watched) -> None:
        with tp.trace(made.context, layer=watched.layer):
            made.write(10)
        found[name] = watched.violations[0].layer

    engines, keep = [], []
    for name in names:
        fault = injector(package, name)
        engines.append((name, Engine(package, before=fault.before), Watched()))
        keep.append(fault)
    threads = [threading.Thread(target=run, args=each) for each in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, made, _ in engines:
        made.close()
    assert found == {names[0]: 1, names[1]: 3}


def test_weights_that_are_not_the_references_are_found(package: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(_with_noise("blk.1.ffn_down.weight"))
    watched = Watched()
    with (
        engine(package, damaged) as seen,
        tp.trace(seen.context, layer=watched.layer, reference=str(models.Q8)),
    ):
        seen.write(200)
    (root, *_) = watched.violations
    assert (root.trace, root.layer, root.brick) == ("MLT-04", 1, "DownProjection")


def test_broken_scale_in_the_file_is_the_root(package: str, tmp_path: Path) -> None:
    from tracepact.engines.reference.gguf_file import GgufFile  # noqa: PLC0415

    content = bytearray(models.Q8.read_bytes())
    info = GgufFile(models.Q8).tensors["blk.2.ffn_down.weight"]
    content[info.offset : info.offset + 2] = np.float16(np.nan).tobytes()
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content)
    watched = Watched()
    with engine(package, damaged) as seen, tp.trace(seen.context, layer=watched.layer):
        seen.write(3)
    root = watched.violations[0]
    assert (root.layer, root.brick, root.role) == (2, "DownProjection", "root")


def _with_noise(name: str) -> bytes:
    from tracepact.engines.reference.gguf_file import GgufFile  # noqa: PLC0415

    content = bytearray(models.Q8.read_bytes())
    info = GgufFile(models.Q8).tensors[name]
    blocks = np.frombuffer(content, np.uint8, info.size, info.offset).reshape(-1, 34)
    blocks[:, 2:] ^= 0x10  # each number by 16 steps of its block
    return bytes(content)


def test_high_level_model_is_traced_from_its_construction_on(package: str) -> None:
    of = library(package)
    options: dict[str, Any] = {"n_ctx": 256, "n_threads": 1, "verbose": False}
    with tp.llamacpp.attachable(package):
        llama = of.llama(str(models.Q8), **options)
    watched = Watched()
    try:
        with tp.trace(llama, layer=watched.layer) as tracer:
            if package == "llama_cpp":
                llama("Once upon a time", max_tokens=8, temperature=0.0)
            else:
                llama.generate(llama.tokenize("Once upon a time"), max_tokens=8)
    finally:
        llama.close()
    assert watched.violations == []
    assert tracer.layer.checks > 100
