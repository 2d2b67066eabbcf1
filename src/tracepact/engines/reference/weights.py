"""All weights of a model, dequantised to float32 once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from tracepact.engines.reference.config import ModelConfig
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show
from tracepact.engines.reference.linear import Linear
from tracepact.types import Array

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (bytes of the file that are done, bytes in all)."""

_CONVERT_AGAIN: Final = "convert the model again"


@dataclass(frozen=True, slots=True)
class Block:
    """The weights of one layer; norms are float32 vectors."""

    attention_norm: Array
    qkv: Linear
    query_norm: Array | None
    key_norm: Array | None
    attention_output: Linear
    ffn_norm: Array
    gate: Linear
    up: Linear
    down: Linear

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices, in the order of their use."""
        return (self.qkv, self.attention_output, self.gate, self.up, self.down)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a model.

    Attributes:
        embedding: one row a token, [V, d].
        blocks: the layers.
        output_norm: the norm before the head, [d].
        output: the head, [V, d]; the very object `embedding` where the file ties them.
        rope_factors: divisors of the rotation's frequencies, [hd/2], or None.
        nbytes: memory that all of it takes.
    """

    embedding: Linear
    blocks: tuple[Block, ...]
    output_norm: Array
    output: Linear
    rope_factors: Array | None
    nbytes: int

    @property
    def linears(self) -> tuple[Linear, ...]:
        """Every matrix once."""
        ends = (self.embedding,) if self.output is self.embedding else (self.embedding, self.output)
        return (*ends, *(linear for block in self.blocks for linear in block.linears))


def load_weights(file: GgufFile, config: ModelConfig, progress: Progress | None = None) -> Weights:
    """Check that the file has exactly the tensors of this configuration, then dequantise them.

    Takes four bytes of memory a parameter, and about 2 ns.

    Raises:
        ModelFileError: a tensor is missing, has another shape or a type that cannot be
            dequantised, or is one that the forward pass would leave out.
    """
    _check_tensors(file, config)
    loader = _Loader(file, progress)
    try:
        return loader.weights(config)
    except MemoryError:
        needed = sum(4 * int(np.prod(tensor.shape)) for tensor in file.tensors.values())
        file.fail(
            f"no memory for {needed / 1e9:.1f} GB of float32 weights",
            "use a smaller model or a machine with more memory",
        )


def _check_tensors(file: GgufFile, config: ModelConfig) -> None:
    known = set()
    for name, shape, required in _expected_tensors(config):
        tensor = file.tensors.get(name)
        if tensor is None:
            if required:
                file.fail(f"tensor {name!r} is missing", _CONVERT_AGAIN)
            continue
        if tensor.shape != shape:
            file.fail(
                f"tensor {name!r} has shape {list(tensor.shape)}, but the metadata say "
                f"{list(shape)}",
                _CONVERT_AGAIN,
            )
        known.add(name)
    unused = [name for name in file.tensors if name not in known]
    if unused:
        file.fail(
            f"tensor {show(unused[0])} (and {len(unused) - 1} more) has no place in a "
            f"{config.architecture.name} model as this engine computes it",
            "use a model of the plain architecture",
        )


def _expected_tensors(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """(name, shape, required) of every tensor; lazily, as the number of layers is not yet known."""
    width, ff = config.width, config.feed_forward
    q_width, kv_width = config.heads * config.head_dim, config.kv_heads * config.head_dim
    qkv_bias, qk_norm = config.architecture.qkv_bias, config.architecture.qk_norm
    yield "token_embd.weight", (config.vocabulary, width), True
    yield "output_norm.weight", (width,), True
    yield "output.weight", (config.vocabulary, width), False
    yield "rope_freqs.weight", (config.head_dim // 2,), False
    for layer in range(config.layers):
        for name, rows, columns, needs_bias in (
            ("attn_q", q_width, width, qkv_bias),
            ("attn_k", kv_width, width, qkv_bias),
            ("attn_v", kv_width, width, qkv_bias),
            ("attn_output", width, q_width, False),
            ("ffn_gate", ff, width, False),
            ("ffn_up", ff, width, False),
            ("ffn_down", width, ff, False),
        ):
            yield f"blk.{layer}.{name}.weight", (rows, columns), True
            yield f"blk.{layer}.{name}.bias", (rows,), needs_bias
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", (width,), True
        if qk_norm:
            for name in ("attn_q_norm", "attn_k_norm"):
                yield f"blk.{layer}.{name}.weight", (config.head_dim,), True


class _Loader:
    """Dequantises tensors by name and reports how far it is."""

    def __init__(self, file: GgufFile, progress: Progress | None) -> None:
        self._file = file
        self._progress = progress
        self._done = 0
        self._total = sum(tensor.size for tensor in file.tensors.values())
        self._nbytes = 0

    def weights(self, config: ModelConfig) -> Weights:
        embedding = self._linear("token_embd")
        tied = "output.weight" not in self._file.tensors
        output = embedding if tied else self._linear("output")
        output_norm = self._vector("output_norm.weight")
        rope_factors = self._rope_factors()
        blocks = tuple(self._block(layer, config) for layer in range(config.layers))
        return Weights(embedding, blocks, output_norm, output, rope_factors, self._nbytes)

    def _rope_factors(self) -> Array | None:
        name = "rope_freqs.weight"
        if name not in self._file.tensors:
            return None
        factors = self._vector(name)
        if not (np.isfinite(factors) & (factors > 0)).all():
            self._file.fail(f"tensor {name!r} has a divisor that is not positive", _CONVERT_AGAIN)
        return factors

    def _block(self, layer: int, config: ModelConfig) -> Block:
        prefix = f"blk.{layer}."
        qk_norm = config.architecture.qk_norm
        return Block(
            attention_norm=self._vector(f"{prefix}attn_norm.weight"),
            qkv=self._linear(f"{prefix}attn_q", f"{prefix}attn_k", f"{prefix}attn_v"),
            query_norm=self._vector(f"{prefix}attn_q_norm.weight") if qk_norm else None,
            key_norm=self._vector(f"{prefix}attn_k_norm.weight") if qk_norm else None,
            attention_output=self._linear(f"{prefix}attn_output"),
            ffn_norm=self._vector(f"{prefix}ffn_norm.weight"),
            gate=self._linear(f"{prefix}ffn_gate"),
            up=self._linear(f"{prefix}ffn_up"),
            down=self._linear(f"{prefix}ffn_down"),
        )

    def _vector(self, name: str) -> Array:
        vector = self._allocate(*self._file.tensors[name].shape)
        self._read(name, vector)
        return vector

    def _linear(self, *names: str) -> Linear:
        """One matrix whose rows are those of the named ones, one after the other."""
        tensors = self._file.tensors
        sources = tuple(tensors[f"{name}.weight"] for name in names)
        rows = sum(source.shape[0] for source in sources)
        weight = self._allocate(rows, sources[0].shape[1])
        has_bias = any(f"{name}.bias" in tensors for name in names)
        bias = self._allocate(rows) if has_bias else None
        end = 0
        for name, source in zip(names, sources, strict=True):
            start, end = end, end + source.shape[0]
            self._read(source.name, weight[start:end])
            if bias is not None:
                if f"{name}.bias" in tensors:
                    self._read(f"{name}.bias", bias[start:end])
                else:
                    bias[start:end] = 0.0
        return Linear(weight, bias, sources)

    def _allocate(self, *shape: int) -> Array:
        memory = np.empty(shape, dtype=np.float32)
        self._nbytes += memory.nbytes
        return memory

    def _read(self, name: str, out: Array) -> None:
        tensor = self._file.tensors[name]
        self._file.dequantise_into(tensor, out)
        self._done += tensor.size
        if self._progress is not None:
            self._progress(self._done, self._total)
