"""A GGUF model in memory, ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tracepact.engines.probe import PROBE_OFF, Probe
from tracepact.engines.reference.config import ModelConfig
from tracepact.engines.reference.forward_pass import ForwardPass
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.linear import Linear
from tracepact.engines.reference.weights import Progress, Weights, load_weights
from tracepact.errors import ConfigError
from tracepact.types import Array, BrickId

DEFAULT_CONTEXT_LENGTH: Final = 4096
"""Positions when nobody asks for more: files state up to a million, which few machines hold."""

PREFILL_TOKENS: Final = 512
"""Tokens of a long prompt that go through at once; their attention scores are [H, 512, S]."""

_BLOCK_LINEARS: Final = {
    BrickId.QkvProjection: "qkv",
    BrickId.OutputProjection: "attention_output",
    BrickId.GateProjection: "gate",
    BrickId.UpProjection: "up",
    BrickId.DownProjection: "down",
}


class ReferenceModel:
    """A model whose every operation is one NumPy kernel that a probe can watch.

    Several threads may run it at once, each with its own cache.

    Attributes:
        file: the GGUF file, which stays mapped.
        config: sizes and constants.
        weights: float32; `weights.nbytes` states their memory.
        context_length: positions that a cache of this model has.
        probe: sees every pass that is not given a probe of its own; off at first.
    """

    def __init__(
        self, file: GgufFile, config: ModelConfig, weights: Weights, context_length: int
    ) -> None:
        self.file = file
        self.config = config
        self.weights = weights
        self.context_length = context_length
        self.probe: Probe = PROBE_OFF
        exponents = np.arange(0, config.head_dim, 2) / config.head_dim
        self._frequencies = config.rope_base**-exponents
        if weights.rope_factors is not None:
            self._frequencies = self._frequencies / weights.rope_factors

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        context_length: int | None = None,
        checksums: bool = False,
        progress: Progress | None = None,
    ) -> ReferenceModel:
        """Open a file, check it and dequantise its weights.

        Args:
            path: of a .gguf file.
            context_length: positions of a cache; by default what the model was made for, but at
                most `DEFAULT_CONTEXT_LENGTH`.
            checksums: take the checksums of all weights now instead of at their first use, so
                that damage to a weight from now on can be seen.
            progress: called with (bytes done, bytes in all) after each tensor.

        Raises:
            ModelFileError: the file is damaged, inconsistent or of an unsupported kind.
            ConfigError: `context_length` is not one that the model has.
        """
        file = GgufFile(path)
        config = ModelConfig.from_file(file)
        if context_length is None:
            context_length = min(config.context_length, DEFAULT_CONTEXT_LENGTH)
        elif not 1 <= context_length <= config.context_length:
            raise ConfigError(
                f"context_length {context_length} is out of range; {file.path} was made for "
                f"1 to {config.context_length} positions"
            )
        weights = load_weights(file, config, progress)
        if checksums:
            for linear in weights.linears:
                _ = linear.checked_inputs
        return cls(file, config, weights, context_length)

    def new_cache(self) -> KvCache:
        """An empty cache of `context_length` positions."""
        config = self.config
        return KvCache(config.layers, self.context_length, config.kv_heads, config.head_dim)

    @property
    def output_row_norms(self) -> Array:
        """L2 norm of each row of the output matrix, float32 [V]: times ‖x‖ it bounds |logit|."""
        return self.weights.output.narrow_row_norms

    def weight_of(self, brick: str, layer: int | None) -> Linear:
        """The matrix that a brick multiplies with; its array may be changed in place.

        Raises:
            ConfigError: the brick has no matrix, or there is no such layer.
        """
        if layer is None and brick == BrickId.Embedding:
            return self.weights.embedding
        if layer is None and brick == BrickId.LmHead:
            return self.weights.output
        name = _BLOCK_LINEARS.get(brick)  # type: ignore[call-overload]  # a str finds its StrEnum
        if name is None or layer is None or not 0 <= layer < self.config.layers:
            raise ConfigError(
                f"no weight matrix belongs to brick {brick!r} of layer {layer}; known: "
                f"Embedding and LmHead without a layer, {', '.join(_BLOCK_LINEARS)} of layers 0 to "
                f"{self.config.layers - 1}"
            )
        linear: Linear = getattr(self.weights.blocks[layer], name)
        return linear

    def dequantise_rows(self, brick: str, layer: int | None, rows: Array) -> Array:
        """Rows of a brick's weight as the file has them, float32 [len(rows), in]."""
        return self.weight_of(brick, layer).dequantise_rows(self.file, rows)

    def forward(
        self,
        tokens: Sequence[int] | Array,
        cache: KvCache,
        probe: Probe | None = None,
        last_only: bool = True,
    ) -> Array:
        """Run tokens through the model after those that the cache holds.

        Args:
            tokens: ids [T], at least one.
            cache: keys and values of the positions before; T positions longer afterwards.
            probe: sees every operation; by default the model's own.
            last_only: compute the logits of the last token only.

        Returns:
            logits, float32 [1 or T, V].

        Raises:
            ConfigError: an id outside the vocabulary, or no room in the cache.
        """
        run = self._pass(tokens, cache, probe)
        with np.errstate(all="ignore"):  # the contracts report what NumPy would warn about
            hidden = run.layers()
            logits = run.head(hidden[-1:] if last_only else hidden)
        run.end()
        return logits

    def prefill(
        self, tokens: Sequence[int] | Array, cache: KvCache, probe: Probe | None = None
    ) -> Array:
        """`forward` for a prompt of any length, in passes that bound the memory of the scores.

        Every pass but the last ends before the head, so `LmHead` runs once.
        """
        cache.require(cache.used, len(tokens))
        split = (len(tokens) - 1) // PREFILL_TOKENS * PREFILL_TOKENS
        for start in range(0, split, PREFILL_TOKENS):
            run = self._pass(tokens[start : start + PREFILL_TOKENS], cache, probe)
            with np.errstate(all="ignore"):
                run.layers()
            run.end()
        return self.forward(tokens[split:], cache, probe)

    def _pass(
        self, tokens: Sequence[int] | Array, cache: KvCache, probe: Probe | None
    ) -> ForwardPass:
        ids = np.asarray(tokens, dtype=np.int64)
        if ids.size == 0 or ids.min() < 0 or ids.max() >= self.config.vocabulary:
            raise ConfigError(
                f"token ids must be in [0, {self.config.vocabulary}), and at least one; got "
                f"{ids.size} from {ids.min(initial=0)} to {ids.max(initial=0)}"
            )
        probe = self.probe if probe is None else probe
        return ForwardPass(self.config, self.weights, self._frequencies, ids, cache, probe)
