"""The forward pass against an implementation in float64 that shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tracepact.engines.probe import NullProbe
from tracepact.engines.reference.model import ReferenceModel
from tracepact.types import Array, BrickId

WriteGguf = Callable[..., Path]

PROMPT = [3, 141, 59, 26, 5, 35, 8, 97, 93, 238]
LLAMA: dict[str, Any] = {"architecture": "llama"}
QWEN2: dict[str, Any] = {"architecture": "qwen2"}
QWEN3: dict[str, Any] = {"architecture": "qwen3", "head_dim": 16}
MODELS = [
    pytest.param(LLAMA, id="llama"),
    pytest.param(LLAMA | {"tied": False, "kv_heads": 1}, id="llama-untied-one-kv-head"),
    pytest.param(LLAMA | {"rope_factors": True, "kv_heads": 4}, id="llama-rope-factors-no-gqa"),
    pytest.param(LLAMA | {"type": gguf.GGMLQuantizationType.Q8_0}, id="llama-q8_0"),
    pytest.param(QWEN2, id="qwen2"),
    pytest.param(QWEN2 | {"tied": False}, id="qwen2-untied"),
    pytest.param(QWEN3, id="qwen3"),
    pytest.param(QWEN3 | {"tied": False}, id="qwen3-untied"),
]


def naive_logits(path: Path, tokens: list[int]) -> Array:
    """Logits [T, V] in float64, token by token and head by head, from the gguf package's reader."""
    reader = gguf.GGUFReader(path)
    weights = {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
        for tensor in reader.tensors
    }
    arch = reader.fields["general.architecture"].contents()

    def value(key: str) -> Any:
        return reader.fields[f"{arch}.{key}"].contents()

    heads, kv_heads = value("attention.head_count"), value("attention.head_count_kv")
    eps, base = value("attention.layer_norm_rms_epsilon"), value("rope.freq_base")
    head_dim = weights["blk.0.attn_q.weight"].shape[0] // heads
    factors = weights.get("rope_freqs.weight", np.ones(head_dim // 2))

    def norm(x: Array, weight: Array) -> Array:
        return weight * x / np.sqrt(np.mean(x * x) + eps)

    def project(name: str, x: Array) -> Array:
        return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)

    def rotate(head: Array, position: int) -> Array:
        out = head.copy()
        for i in range(head_dim // 2):
            angle = position / (base ** (2 * i / head_dim) * factors[i])
            a, b = (2 * i, 2 * i + 1) if arch == "llama" else (i, i + head_dim // 2)
            out[a] = head[a] * np.cos(angle) - head[b] * np.sin(angle)
            out[b] = head[a] * np.sin(angle) + head[b] * np.cos(angle)
        return out

    stream = [weights["token_embd.weight"][token] for token in tokens]
    for layer in range(value("block_count")):
        block = f"blk.{layer}."
        queries, keys, values = [], [], []
        for position, x in enumerate(stream):
            x = norm(x, weights[f"{block}attn_norm.weight"])
            q = project(f"{block}attn_q", x).reshape(heads, head_dim)
            k = project(f"{block}attn_k", x).reshape(kv_heads, head_dim)
            if arch == "qwen3":
                q = np.array([norm(head, weights[f"{block}attn_q_norm.weight"]) for head in q])
                k = np.array([norm(head, weights[f"{block}attn_k_norm.weight"]) for head in k])
            queries.append([rotate(head, position) for head in q])
            keys.append([rotate(head, position) for head in k])
            values.append(project(f"{block}attn_v", x).reshape(kv_heads, head_dim))
        for position, x in enumerate(stream):
            mixed = []
            for head in range(heads):
                shared = head * kv_heads // heads
                scores = [
                    queries[position][head] @ keys[past][shared] / np.sqrt(head_dim)
                    for past in range(position + 1)
                ]
                attention = np.exp(scores) / np.sum(np.exp(scores))
                mixed.append(sum(w * values[past][shared] for past, w in enumerate(attention)))
            x = x + project(f"{block}attn_output", np.concatenate(mixed))
            hidden = norm(x, weights[f"{block}ffn_norm.weight"])
            gate = project(f"{block}ffn_gate", hidden)
            gated = gate / (1 + np.exp(-gate)) * project(f"{block}ffn_up", hidden)
            stream[position] = x + project(f"{block}ffn_down", gated)
    output = weights.get("output.weight", weights["token_embd.weight"])
    return np.array([output @ norm(x, weights["output_norm.weight"]) for x in stream])


def assert_close(got: Array, expected: Array) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", MODELS)
def test_forward_computes_the_published_architecture(
    options: dict[str, Any], write_gguf: WriteGguf
) -> None:
    path = write_gguf(**options)
    model = ReferenceModel.load(path)
    logits = model.forward(PROMPT, model.new_cache(), last_only=False)
    assert logits.dtype == np.float32
    assert_close(logits, naive_logits(path, PROMPT))


@pytest.mark.parametrize("options", MODELS)
def test_decoding_token_by_token_equals_one_prefill(
    options: dict[str, Any], write_gguf: WriteGguf
) -> None:
    model = ReferenceModel.load(write_gguf(**options))
    whole = model.forward(PROMPT, model.new_cache(), last_only=False)
    cache = model.new_cache()
    model.forward(PROMPT[:4], cache)
    steps = [model.forward([token], cache)[0] for token in PROMPT[4:]]
    assert cache.used == len(PROMPT)
    assert_close(np.array(steps), whole[4:])


def test_the_probe_sees_a_pass_in_order(tiny_model: ReferenceModel, recorder: Any) -> None:
    cache = tiny_model.new_cache()
    tiny_model.forward(PROMPT, cache)
    tiny_model.forward([7], cache, recorder)
    layers = []
    for layer in range(2):
        layers += [
            ("residual", layer, "input", (1, 32)),
            ("run", "RmsNorm", layer),
            ("run", "QkvProjection", layer),
            ("run", "RopeEmbedding", layer),
            ("run", "KvCacheWrite", layer),
            ("run", "KvCacheWrite", layer),
            ("run", "AttentionScore", layer),
            ("run", "AttentionSoftmax", layer),
            ("run", "AttentionOutput", layer),
            ("run", "OutputProjection", layer),
            ("run", "Residual", layer),
            ("run", "RmsNorm", layer),
            ("run", "GateProjection", layer),
            ("run", "UpProjection", layer),
            ("run", "Activation", layer),
            ("run", "DownProjection", layer),
            ("run", "Residual", layer),
            ("residual", layer, "output", (1, 32)),
        ]
    assert recorder.calls == [
        ("begin", 10, 1),
        ("run", "Embedding", None),
        *layers,
        ("run", "RmsNorm", None),
        ("run", "LmHead", None),
        ("kv_cache", 11),
        ("end",),
    ]


def test_head_norms_are_bricks_of_their_own(write_gguf: WriteGguf, recorder: Any) -> None:
    model = ReferenceModel.load(write_gguf(**QWEN3))
    model.forward(PROMPT, model.new_cache(), recorder)
    assert sum(call == ("run", "QkNorm", 0) for call in recorder.calls) == 2
    assert recorder.fields["QkNorm"]["weight"].shape == (16,)


def test_a_watching_probe_gets_the_fields_of_the_contracts(
    write_gguf: WriteGguf, recorder: Any
) -> None:
    model = ReferenceModel.load(write_gguf(**QWEN2))
    model.forward(PROMPT, model.new_cache(), recorder)
    fields = recorder.fields
    linear = {"x", "weight", "bias", "column_sums", "bias_sum", "weight_norm", "ret"}
    expected = {
        "Embedding": {"tokens", "weight", "ret"},
        "RmsNorm": {"x", "weight", "eps", "ret"},
        "QkvProjection": linear,
        "RopeEmbedding": {"x", "cos", "sin", "ret"},
        "KvCacheWrite": {"x", "layer", "position", "ret"},
        "AttentionScore": {"x", "keys", "scale", "ret"},
        "AttentionSoftmax": {"x", "ret"},
        "AttentionOutput": {"weights", "values", "ret"},
        "OutputProjection": linear,
        "Residual": {"x", "update", "ret"},
        "GateProjection": linear,
        "UpProjection": linear,
        "Activation": {"gate", "up", "ret"},
        "DownProjection": linear,
        "LmHead": linear | {"output_row_norms"},
    }
    assert {brick: set(values) for brick, values in fields.items()} == expected
    assert fields["AttentionScore"]["ret"].shape == (4, 10, 10)
    assert np.array_equal(fields["AttentionSoftmax"]["x"], fields["AttentionScore"]["ret"])
    assert np.array_equal(fields["KvCacheWrite"]["x"], fields["KvCacheWrite"]["ret"])


@pytest.mark.parametrize("options", MODELS)
def test_the_checksum_of_every_product_holds(
    options: dict[str, Any], write_gguf: WriteGguf, recorder: Any
) -> None:
    """Σ_j y_j = x · column_sums + bias_sum, up to rounding, on a healthy model."""
    model = ReferenceModel.load(write_gguf(**options))
    model.forward(PROMPT, model.new_cache(), recorder)
    checked = [values for values in recorder.fields.values() if "column_sums" in values]
    assert len(checked) == 6
    for values in checked:
        x = values["x"].astype(np.float64)
        got = values["ret"].astype(np.float64).sum(axis=-1)
        scale = np.linalg.norm(x, axis=-1) * values["weight_norm"] + abs(values["bias_sum"])
        error = np.abs(got - x @ values["column_sums"] - values["bias_sum"])
        assert np.all(error <= 1e-6 * scale)


def test_logits_lie_within_row_norm_times_hidden_norm(
    tiny_model: ReferenceModel, recorder: Any
) -> None:
    logits = tiny_model.forward(PROMPT, tiny_model.new_cache(), recorder)
    bound = tiny_model.output_row_norms * np.linalg.norm(recorder.fields["LmHead"]["x"])
    assert np.all(np.abs(logits[0]) <= bound * (1 + 1e-6))


def test_without_checks_no_checksum_is_computed(tiny_model: ReferenceModel) -> None:
    tiny_model.forward(PROMPT, tiny_model.new_cache(), NullProbe(enforced=False))
    assert "_checksums" not in vars(tiny_model.weight_of(BrickId.LmHead, None))


def test_a_pass_that_raises_can_be_repeated(tiny_model: ReferenceModel) -> None:
    """The cache counts positions only when all layers have seen them."""

    class Failing(NullProbe):
        def residual(self, layer: int, point: str, value: Array) -> None:
            if (layer, point) == (1, "input"):
                raise RuntimeError

    expected = tiny_model.forward(PROMPT, tiny_model.new_cache())
    cache = tiny_model.new_cache()
    with pytest.raises(RuntimeError):
        tiny_model.forward(PROMPT, cache, Failing())
    assert cache.used == 0
    assert np.array_equal(tiny_model.forward(PROMPT, cache), expected)
