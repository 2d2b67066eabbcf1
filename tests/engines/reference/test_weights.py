"""Claims about dequantised weights and the tensors a file must have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tracepact.engines.reference import weights as weights_module
from tracepact.engines.reference.config import ModelConfig
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.weights import Progress, Weights, load_weights
from tracepact.errors import ModelFileError
from tracepact.types import Array

WriteGguf = Callable[..., Path]


def load(path: Path, progress: Progress | None = None) -> Weights:
    file = GgufFile(path)
    return load_weights(file, ModelConfig.from_file(file), progress)


def stored(path: Path) -> dict[str, Array]:
    """Every tensor in float32, by the gguf package's own reader."""
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }


def test_every_matrix_is_where_it_belongs(write_gguf: WriteGguf) -> None:
    path = write_gguf(architecture="qwen3", head_dim=16, tied=False)
    weights, expected = load(path), stored(path)
    assert np.array_equal(weights.embedding.weight, expected["token_embd.weight"])
    assert np.array_equal(weights.output.weight, expected["output.weight"])
    assert np.array_equal(weights.output_norm, expected["output_norm.weight"])
    for layer, block in enumerate(weights.blocks):
        for field, name in {
            "attention_norm": "attn_norm",
            "query_norm": "attn_q_norm",
            "key_norm": "attn_k_norm",
            "ffn_norm": "ffn_norm",
        }.items():
            assert np.array_equal(getattr(block, field), expected[f"blk.{layer}.{name}.weight"])
        for field, name in {
            "attention_output": "attn_output",
            "gate": "ffn_gate",
            "up": "ffn_up",
            "down": "ffn_down",
        }.items():
            linear = getattr(block, field)
            assert np.array_equal(linear.weight, expected[f"blk.{layer}.{name}.weight"])


def test_queries_keys_and_values_become_one_matrix_with_one_bias(write_gguf: WriteGguf) -> None:
    path = write_gguf(architecture="qwen2")
    qkv, expected = load(path).blocks[1].qkv, stored(path)
    names = [f"blk.1.attn_{part}" for part in "qkv"]
    assert np.array_equal(qkv.weight, np.vstack([expected[f"{name}.weight"] for name in names]))
    assert qkv.bias is not None
    assert np.array_equal(qkv.bias, np.hstack([expected[f"{name}.bias"] for name in names]))
    assert [source.name for source in qkv.sources] == [f"{name}.weight" for name in names]


def test_a_part_without_bias_gets_zeros(write_gguf: WriteGguf) -> None:
    path = write_gguf(tensors={"blk.0.attn_k.bias": np.ones(16, np.float32)})
    weights = load(path)
    bias = weights.blocks[0].qkv.bias
    assert bias is not None
    assert bias.tolist() == [0.0] * 32 + [1.0] * 16 + [0.0] * 16
    assert weights.blocks[1].qkv.bias is None


def test_a_file_without_output_ties_the_head_to_the_embedding(write_gguf: WriteGguf) -> None:
    tied, untied = load(write_gguf()), load(write_gguf(tied=False))
    assert tied.output is tied.embedding
    assert untied.output is not untied.embedding
    assert len(untied.linears) == len(tied.linears) + 1


def test_nbytes_states_the_memory_of_all_tensors(write_gguf: WriteGguf) -> None:
    path = write_gguf(type=gguf.GGMLQuantizationType.Q8_0, tied=False)
    assert load(path).nbytes == sum(data.nbytes for data in stored(path).values())


def test_quantisation_types_are_kept_with_the_sources(write_gguf: WriteGguf) -> None:
    weights = load(write_gguf(type=gguf.GGMLQuantizationType.Q5_0))
    assert {source.type.name for source in weights.blocks[0].gate.sources} == {"Q5_0"}


def test_progress_counts_up_to_all_bytes(write_gguf: WriteGguf) -> None:
    calls: list[tuple[int, int]] = []
    path = write_gguf()
    load(path, lambda done, total: calls.append((done, total)))
    total = sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors)
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert calls[-1] == (total, total)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensors": {"blk.1.ffn_up.weight": None}}, r"tensor 'blk\.1\.ffn_up\.weight' is missing"),
        (
            {"architecture": "qwen2", "tensors": {"blk.0.attn_v.bias": None}},
            r"tensor 'blk\.0\.attn_v\.bias' is missing",
        ),
        (
            {
                "architecture": "qwen3",
                "head_dim": 16,
                "tensors": {"blk.0.attn_q_norm.weight": None},
            },
            r"'blk\.0\.attn_q_norm\.weight' is missing",
        ),
        (
            {"metadata": {"llama.block_count": 4_000_000_000}},
            r"tensor 'blk\.2\.attn_q\.weight' is missing",
        ),
        (
            {"metadata": {"llama.feed_forward_length": 4_000_000_000}},
            r"'blk\.0\.ffn_gate\.weight' has shape \[64, 32\], but the metadata say \[4000000000",
        ),
        (
            {"tensors": {"blk.0.attn_norm.weight": np.ones(31, np.float32)}},
            r"has shape \[31\], but the metadata say \[32\]",
        ),
        (
            {"tensors": {"blk.0.attn_q_norm.weight": np.ones(8, np.float32)}},
            r"'blk\.0\.attn_q_norm\.weight' \(and 0 more\) has no place in a llama model",
        ),
        (
            {"tensors": {"rope_freqs.weight": np.array([1, 0, 1, 1], np.float32)}},
            r"'rope_freqs\.weight' has a divisor that is not positive",
        ),
    ],
    ids=["weight", "bias", "norm", "layers", "shape", "vector", "extra", "divisor"],
)
def test_a_file_that_contradicts_its_metadata_is_refused(
    options: dict[str, Any], message: str, write_gguf: WriteGguf
) -> None:
    with pytest.raises(ModelFileError, match=message):
        load(write_gguf(**options))


def test_too_little_memory_is_a_model_file_error(
    write_gguf: WriteGguf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    path = write_gguf()
    file = GgufFile(path)
    config = ModelConfig.from_file(file)
    monkeypatch.setattr(weights_module.np, "empty", refuse)
    with pytest.raises(ModelFileError, match="no memory for 0.0 GB of float32 weights"):
        load_weights(file, config)
