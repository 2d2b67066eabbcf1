"""What a GGUF file says about its model, and what this engine can compute of it.

To add an architecture, add one entry to `ARCHITECTURES`. A file that asks for anything else than
what the forward pass computes is refused: a wrong number would be worse than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Never

from tracepact.engines.reference import kernels
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show

_CONVERT_AGAIN: Final = "convert the model again or use one of another family"


@dataclass(frozen=True, slots=True)
class Architecture:
    """What sets one family of models apart.

    Attributes:
        name: `general.architecture` in GGUF.
        rope: how queries and keys are rotated. llama files hold Q and K with their rows permuted,
            so that pairs are neighbours; qwen files keep the halves apart.
        qkv_bias: the projections to queries, keys and values must have biases.
        qk_norm: queries and keys are normalised per head before the rotation.
    """

    name: str
    rope: kernels.RopeKernel
    qkv_bias: bool = False
    qk_norm: bool = False


ARCHITECTURES: Final = {
    architecture.name: architecture
    for architecture in (
        Architecture("llama", rope=kernels.rope_interleaved),
        Architecture("qwen2", rope=kernels.rope_half, qkv_bias=True),
        Architecture("qwen3", rope=kernels.rope_half, qk_norm=True),
    )
}

# Keys that change the arithmetic, with the one value that leaves it as this engine computes it.
_REQUIRED_VALUES: Final[dict[str, object]] = {
    "expert_count": 0,
    "attention.causal": True,
    "attention.sliding_window": 0,
    "attention.max_alibi_bias": 0,
    "attention.clamp_kqv": 0,
    "attn_logit_softcapping": 0,
    "final_logit_softcapping": 0,
    "use_parallel_residual": False,
    "embedding_scale": 1,
    "residual_scale": 1,
    "logit_scale": 1,
    "rope.scaling.type": "none",
    "rope.scaling.factor": 1,
    "rope.scale_linear": 1,
}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The sizes and constants of a model.

    Attributes:
        architecture: the family.
        layers: number of blocks.
        width: of the residual stream, d.
        feed_forward: width inside the feed-forward block, ff.
        heads: query heads, H.
        kv_heads: key/value heads, KV; H is a multiple of it.
        head_dim: of one head, hd; even.
        context_length: positions that the model was made for.
        rope_base: base of the rotation's frequencies.
        rms_eps: added to the mean square in every RMS norm.
        vocabulary: number of token ids, V.
    """

    architecture: Architecture
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    context_length: int
    rope_base: float
    rms_eps: float
    vocabulary: int

    @classmethod
    def from_file(cls, file: GgufFile) -> ModelConfig:
        """Read the configuration out of a file's metadata.

        Raises:
            ModelFileError: unknown architecture, a value that is missing, of the wrong type, out of
                range or in contradiction to another, or a feature that this engine lacks.
        """
        architecture = _architecture(file)
        read = _Reader(file, architecture.name)
        read.refuse_unsupported()
        width = read.positive("embedding_length")
        heads = read.positive("attention.head_count")
        config = cls(
            architecture=architecture,
            layers=read.positive("block_count"),
            width=width,
            feed_forward=read.positive("feed_forward_length"),
            heads=heads,
            kv_heads=read.positive("attention.head_count_kv", heads),
            head_dim=read.positive("attention.key_length", width // heads),
            context_length=read.positive("context_length"),
            rope_base=read.constant("rope.freq_base", 10000.0),
            rms_eps=read.constant("attention.layer_norm_rms_epsilon"),
            vocabulary=_vocabulary(file, read),
        )
        read.must_equal("rope.dimension_count", config.head_dim)
        read.must_equal("attention.value_length", config.head_dim)
        if config.heads % config.kv_heads or config.head_dim % 2:
            file.fail(
                f"{config.heads} heads cannot share {config.kv_heads} key/value heads, or the head "
                f"dimension {config.head_dim} is odd",
                _CONVERT_AGAIN,
            )
        return config


def _architecture(file: GgufFile) -> Architecture:
    name = file.metadata.get("general.architecture")
    architecture = ARCHITECTURES.get(name) if isinstance(name, str) else None
    if architecture is None:
        file.fail(
            f"architecture {show(name)} is not supported",
            f"use a model of one of: {', '.join(sorted(ARCHITECTURES))}",
        )
    if file.metadata.get("split.count", 1) not in (0, 1):
        file.fail("one part of a model that is split into several files", "merge the parts first")
    return architecture


def _vocabulary(file: GgufFile, read: _Reader) -> int:
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        file.fail("tensor 'token_embd.weight' is missing", _CONVERT_AGAIN)
    rows = embedding.shape[0]
    read.must_equal("vocab_size", rows)
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, list) and len(tokens) != rows:
        file.fail(
            f"{len(tokens)} tokens contradict the {rows} rows of 'token_embd.weight'",
            _CONVERT_AGAIN,
        )
    return rows


class _Reader:
    """Typed look-ups of one architecture's keys."""

    def __init__(self, file: GgufFile, architecture: str) -> None:
        self._file = file
        self._prefix = architecture

    def positive(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if type(value) is not int or value < 1:
            self._refuse(key, value, "a positive integer")
        return value

    def constant(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if not isinstance(value, int | float) or not (value > 0 and math.isfinite(value)):
            self._refuse(key, value, "a positive number")
        return float(value)

    def must_equal(self, key: str, expected: int) -> None:
        value = self._get(key, expected)
        if type(value) is not int or value != expected:
            self._refuse(key, value, f"{expected}, as the rest of the file says")

    def refuse_unsupported(self) -> None:
        for key, expected in _REQUIRED_VALUES.items():
            value = self._get(key, expected)
            if not isinstance(value, str | int | float) or value != expected:
                self._refuse(key, value, f"{expected!r}, the only value supported")

    def _get(self, key: str, default: object) -> object:
        return self._file.metadata.get(f"{self._prefix}.{key}", default)

    def _refuse(self, key: str, value: object, wanted: str) -> Never:
        name = f"{self._prefix}.{key}"
        what = "is missing" if value is None else f"is {show(value)}"
        self._file.fail(f"metadata {name!r} {what}, not {wanted}", _CONVERT_AGAIN)
