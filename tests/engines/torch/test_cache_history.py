"""Claims about what is remembered of a KV cache."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tracepact as tp
from tracepact.core import native_core

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
transformers = pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402
from watched import Watched  # noqa: E402

from tracepact.engines.torch import cache_history  # noqa: E402

DTYPES = ["float64", "float32", "float16", "bfloat16"]


def layer_of(dtype: str, *, is_strided: bool) -> Any:
    generator = torch.Generator().manual_seed(3)
    shape = (1, 70, 3, 8) if is_strided else (1, 3, 70, 8)
    halves = [torch.randn(shape, generator=generator).to(getattr(torch, dtype)) for _ in range(2)]
    keys, values = (half.transpose(1, 2) if is_strided else half for half in halves)
    return SimpleNamespace(keys=keys, values=values)


@pytest.mark.parametrize("is_strided", [False, True], ids=["contiguous", "strided"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_cores_sum_the_same(
    dtype: str, is_strided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = layer_of(dtype, is_strided=is_strided)
    if native_core() is not None:
        assert native_core().piece_sums(layer.keys, layer.values, 0, 4, 16) is not None
    found = cache_history._sums(layer, 0, 4), cache_history._sums(layer, 1, 3)
    monkeypatch.setattr(cache_history, "native_core", lambda: None)
    assert found == (cache_history._sums(layer, 0, 4), cache_history._sums(layer, 1, 3))
    assert found[0][1:3] == found[1]
    layer.keys, layer.values = layer.values, layer.keys
    assert cache_history._sums(layer, 0, 4) != found[0]


def test_pieces_that_are_not_there_are_left_to_python() -> None:
    native = native_core()
    if native is None:
        pytest.skip("of the native core")
    layer = layer_of("float32", is_strided=False)
    assert native.piece_sums(layer.keys, layer.values, 0, 5, 16) is None
    assert native.piece_sums(layer.keys, layer.values, 0, 1, 0) is None
    assert native.piece_sums(layer.keys, None, 0, 1, 16) is None
    assert native.piece_sums(layer.keys.to(torch.float8_e5m2), layer.values, 0, 1, 16) is None


def test_what_is_written_is_measured_at_once_or_left_to_python() -> None:
    native = native_core()
    if native is None:
        pytest.skip("of the native core")
    layers = [layer_of("float32", is_strided=False) for _ in range(3)]
    kind, size = SimpleNamespace, 3 * 2 * 3 * 70 * 8 * 4
    assert native.written_in(layers, kind, 2) == (70, size)
    assert native.written_in(layers, type(None), 2) is None
    assert native.written_in([], kind, 2) is None
    assert native.written_in(layers, kind, 0) is None
    assert native.written_in(layers, kind, 71) is None
    layers[1].values[0, 2, 67, 3] = torch.nan
    assert native.written_in(layers, kind, 2) == (70, size)
    assert native.written_in(layers, kind, 3) is None
    layers[1].values = layers[1].values[:, :, :69]
    assert native.written_in(layers, kind, 2) is None
    with pytest.raises(TypeError):
        native.written_in(tuple(layers), kind, 2)
    del layers[2].keys
    assert native.written_in(layers, kind, 2) is None


def test_cache_is_not_kept_alive_by_its_traces() -> None:
    model = families.build("llama")
    with tp.trace(model, layer=Watched().layer) as tracer, torch.inference_mode():
        cache = transformers.DynamicCache(config=model.config)
        for token in range(4):
            model(input_ids=torch.tensor([[5 + token]]), past_key_values=cache)
        keys = weakref.ref(cache.layers[0].keys)
        del cache
        gc.collect()
        assert keys() is None
        assert tracer.last.kv_cache is not None
        assert tracer.last.kv_cache.used == 4


def steps(model: Any, ids: list[list[int]], cache: Any = None) -> Any:
    for each in ids:
        with torch.inference_mode():
            given = torch.tensor([each])
            cache = model(input_ids=given, past_key_values=cache, use_cache=True).past_key_values
    return cache


def test_what_a_token_writes_is_looked_at_while_the_pass_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = native_core()
    if native is None:
        pytest.skip("of the native core")
    model, watched = families.build("llama"), Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        cache = steps(model, [[3, 4, 5], [6]])
        looked: list[Any] = []
        monkeypatch.setattr(native, "written_in", lambda *given: looked.append(given))
        cache = steps(model, [[7], [8]], cache)
        assert looked == []
        held = tracer.last.kv_cache
        assert (held.used, held.bytes_used) == (6, sum(e.keys.nbytes * 2 for e in cache.layers))
        assert watched.violations == []

        def spoil(module: Any, arguments: Any, output: Any) -> Any:
            output = output.clone()
            output[..., 3] = float("inf")
            return output

        model.model.layers[1].self_attn.v_proj.register_forward_hook(spoil)
        steps(model, [[9]], cache)
        assert looked != []
    assert 1 in {v.layer for v in watched.violations if v.trace == "MLT-05"}


def test_layers_that_are_not_looked_at_in_turn_are_left_to_the_end() -> None:
    native = native_core()
    if native is None:
        pytest.skip("of the native core")
    writes = native.Writes()
    assert writes.end() is None
    writes.begin([layer_of("float32", is_strided=False)], SimpleNamespace, 1)
    assert writes.end() is None
    with pytest.raises(TypeError):
        writes.begin((), SimpleNamespace, 1)
