"""Claims about what a file says of its model, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.engines.reference import kernels
from tracepact.engines.reference.config import ARCHITECTURES, ModelConfig
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.errors import ModelFileError

WriteGguf = Callable[..., Path]


def read(path: Path) -> ModelConfig:
    return ModelConfig.from_file(GgufFile(path))


def test_a_llama_has_the_sizes_that_its_metadata_say(write_gguf: WriteGguf) -> None:
    config = read(write_gguf())
    assert config == ModelConfig(
        architecture=ARCHITECTURES["llama"],
        layers=2,
        width=32,
        feed_forward=64,
        heads=4,
        kv_heads=2,
        head_dim=8,
        context_length=48,
        rope_base=10000.0,
        rms_eps=pytest.approx(1e-5),
        vocabulary=264,
    )


def test_head_dim_is_the_key_length_where_the_file_says_so(write_gguf: WriteGguf) -> None:
    assert read(write_gguf(architecture="qwen3", head_dim=16)).head_dim == 16


def test_kv_heads_default_to_the_query_heads(write_gguf: WriteGguf) -> None:
    path = write_gguf(kv_heads=4, metadata={"llama.attention.head_count_kv": None})
    assert read(path).kv_heads == 4


def test_the_rotation_base_defaults_to_10000(write_gguf: WriteGguf) -> None:
    assert read(write_gguf(metadata={"llama.rope.freq_base": None})).rope_base == 10000.0


@pytest.mark.parametrize(
    ("name", "rope", "qkv_bias", "qk_norm"),
    [
        ("llama", kernels.rope_interleaved, False, False),
        ("qwen2", kernels.rope_half, True, False),
        ("qwen3", kernels.rope_half, False, True),
    ],
)
def test_architectures_differ_in_rotation_bias_and_norm(
    name: str, rope: kernels.RopeKernel, qkv_bias: bool, qk_norm: bool
) -> None:
    architecture = ARCHITECTURES[name]
    assert (architecture.rope, architecture.qkv_bias, architecture.qk_norm) == (
        rope,
        qkv_bias,
        qk_norm,
    )


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"general.architecture": "mamba"}, "architecture 'mamba' is not supported; use a model"),
        ({"general.architecture": 7}, "architecture 7 is not supported"),
        ({"split.count": 3}, "one part of a model that is split"),
        ({"llama.block_count": None}, "'llama.block_count' is missing, not a positive integer"),
        ({"llama.block_count": 0}, "'llama.block_count' is 0, not a positive integer"),
        ({"llama.block_count": True}, "'llama.block_count' is True, not a positive integer"),
        ({"llama.block_count": 2.0}, "'llama.block_count' is 2.0, not a positive integer"),
        ({"llama.attention.head_count": [4, 4]}, "head_count' is array"),
        ({"llama.rope.freq_base": -1.0}, "'llama.rope.freq_base' is -1.0, not a positive number"),
        ({"llama.rope.freq_base": float("nan")}, "'llama.rope.freq_base' is nan"),
        ({"llama.rope.freq_base": float("inf")}, "'llama.rope.freq_base' is inf"),
        ({"llama.attention.layer_norm_rms_epsilon": "1e-5"}, "is '1e-5', not a positive number"),
        ({"llama.rope.dimension_count": 4}, "dimension_count' is 4, not 8, as the rest"),
        ({"llama.attention.value_length": 16}, "value_length' is 16, not 8"),
        ({"llama.vocab_size": 99}, "'llama.vocab_size' is 99, not 264"),
        ({"llama.attention.head_count_kv": 3}, "4 heads cannot share 3 key/value heads"),
        ({"llama.attention.key_length": 7}, "the head dimension 7 is odd"),
        ({"llama.embedding_length": 3}, "'llama.attention.key_length' is 0"),
        ({"llama.expert_count": 8}, "'llama.expert_count' is 8, not 0, the only value supported"),
        ({"llama.rope.scaling.type": "yarn"}, "is 'yarn', not 'none', the only value supported"),
        ({"llama.rope.scaling.type": 3}, "is 3, not 'none'"),
        ({"llama.rope.scaling.factor": 8.0}, "is 8.0, not 1"),
        ({"llama.attention.sliding_window": 4096}, "is 4096, not 0"),
        ({"llama.attention.sliding_window": [1, 0]}, r"is array\(\[1, 0\]"),
        ({"llama.attention.causal": False}, "is False, not True"),
        ({"llama.final_logit_softcapping": 30.0}, "is 30.0, not 0"),
        ({"tokenizer.ggml.tokens": ["a", "b"]}, "2 tokens contradict the 264 rows"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_would_be_computed_wrongly_is_refused(
    metadata: dict[str, Any], message: str, write_gguf: WriteGguf
) -> None:
    with pytest.raises(ModelFileError, match=message):
        read(write_gguf(metadata=metadata))


def test_values_that_change_nothing_are_accepted(write_gguf: WriteGguf) -> None:
    metadata = {
        "llama.expert_count": 0,
        "llama.rope.scaling.type": "none",
        "llama.attention.sliding_window": 0,
        "llama.attention.causal": True,
        "llama.vocab_size": 264,
        "llama.rope.dimension_count": 8,
        "split.count": 1,
    }
    assert read(write_gguf(metadata=metadata)).layers == 2


def test_a_model_without_embedding_is_refused(write_gguf: WriteGguf) -> None:
    path = write_gguf(tensors={"token_embd.weight": None})
    with pytest.raises(ModelFileError, match=r"tensor 'token_embd\.weight' is missing"):
        read(path)


def test_the_vocabulary_needs_no_tokenizer(write_gguf: WriteGguf) -> None:
    path = write_gguf(
        metadata={"tokenizer.ggml.tokens": None},
        tensors={"token_embd.weight": np.zeros((10, 32), np.float32)},
    )
    assert read(path).vocabulary == 10
