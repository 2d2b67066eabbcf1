"""One forward pass, brick by brick."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from tracepact.enforce import unchecked
from tracepact.engines.probe import NullProbe, Probe, is_self_checking
from tracepact.engines.reference import kernels
from tracepact.engines.reference.config import ModelConfig
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.linear import Linear
from tracepact.engines.reference.weights import Block, Weights
from tracepact.model.bricks import KV_CACHE_WRITE, QK_NORM, RESIDUAL
from tracepact.types import Array, BrickId, FloatArray

_BARE: Final = SimpleNamespace(
    **{name: unchecked(getattr(kernels, name)) for name in kernels.__all__}
)
"""The kernels below their contracts, for probes: these do the checking themselves."""

_IS_ENFORCED: Final = _BARE.linear is not kernels.linear


class ForwardPass:
    """Runs some tokens through the layers; use it once: `layers`, `head` if wanted, `end`.

    With tracing off the kernels check themselves, by the contracts that they are decorated with.

    Args:
        config: sizes and constants.
        weights: of the model.
        frequencies: of the rotation, radians a position, [hd/2].
        tokens: ids [T] of the vocabulary.
        cache: keys and values of the positions before.
        probe: sees every operation.

    Raises:
        ConfigError: no room in the cache.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        frequencies: FloatArray,
        tokens: Array,
        cache: KvCache,
        probe: Probe,
    ) -> None:
        self._config = config
        self._weights = weights
        self._tokens = tokens
        self._cache = cache
        self._start = cache.used
        self._end = cache.used + len(tokens)
        cache.require(self._start, len(tokens))
        angles = np.outer(np.arange(self._start, self._end), frequencies)
        self._cos, self._sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        self._scale = config.head_dim**-0.5
        self._probe = probe
        self._run = probe.run
        is_enforced = is_self_checking(probe)
        self._kernels: Any = kernels if is_enforced else _BARE
        rope, writes = config.architecture.rope, (cache.write_keys, cache.write_values)
        self._rope = rope if is_enforced else unchecked(rope)
        self._writes = writes if is_enforced else tuple(map(unchecked, writes))
        self._is_watched = not isinstance(probe, NullProbe)
        self._checked = self._is_watched or (is_enforced and _IS_ENFORCED)

    def layers(self) -> Array:
        """Everything before the head; returns the residual stream [T, d]."""
        self._probe.begin_forward(self._start, len(self._tokens))
        weight = self._weights.embedding.weight
        x = self._run(
            BrickId.Embedding, None, self._kernels.embedding, tokens=self._tokens, weight=weight
        )
        for layer, block in enumerate(self._weights.blocks):
            self._probe.residual(layer, "input", x)
            x = self._add(layer, x, self._attention(layer, block, x))
            x = self._add(layer, x, self._feed_forward(layer, block, x))
            self._probe.residual(layer, "output", x)
        return x

    def head(self, x: Array) -> Array:
        """Logits [T, V] of the residual stream x [T, d]."""
        output = self._weights.output
        x = self._norm(BrickId.RmsNorm, None, x, self._weights.output_norm)
        inputs = self._inputs(output)
        if self._is_watched:
            inputs = inputs | {"output_row_norms": output.narrow_row_norms}
        return self._run(BrickId.LmHead, None, self._kernels.linear, x=x, **inputs)

    def end(self) -> None:
        """Count the positions as used; only now have all layers seen them."""
        self._cache.used = self._end
        self._probe.kv_cache(self._cache)
        self._probe.end_forward()

    def _attention(self, layer: int, block: Block, x: Array) -> Array:
        x = self._norm(BrickId.RmsNorm, layer, x, block.attention_norm)
        q, k, v = self._heads(layer, block, x)
        self._store(layer, k, v)
        mixed = self._attend(layer, q)
        return self._linear(BrickId.OutputProjection, layer, mixed, block.attention_output)

    def _heads(self, layer: int, block: Block, x: Array) -> tuple[Array, Array, Array]:
        """Queries [T, H, hd], keys and values [T, KV, hd]; queries and keys are rotated."""
        queries = self._config.heads
        rotated = queries + self._config.kv_heads
        qkv = self._linear(BrickId.QkvProjection, layer, x, block.qkv)
        heads = qkv.reshape(len(x), -1, self._config.head_dim)
        qk, v = heads[:, :rotated], heads[:, rotated:]
        if block.query_norm is not None and block.key_norm is not None:
            q = self._norm(QK_NORM, layer, qk[:, :queries], block.query_norm)
            k = self._norm(QK_NORM, layer, qk[:, queries:], block.key_norm)
            qk = np.concatenate((q, k), axis=1)
        qk = self._run(BrickId.RopeEmbedding, layer, self._rope, x=qk, cos=self._cos, sin=self._sin)
        return qk[:, :queries], qk[:, queries:], v

    def _store(self, layer: int, k: Array, v: Array) -> None:
        for write, x in zip(self._writes, (k, v), strict=True):
            self._run(KV_CACHE_WRITE, layer, write, x=x, layer=layer, position=self._start)

    def _attend(self, layer: int, q: Array) -> Array:
        """What the queries find in the cache, [T, H·hd]."""
        run = self._run
        keys = self._cache.keys[layer, :, : self._end]
        values = self._cache.values[layer, :, : self._end]
        x = run(
            BrickId.AttentionScore,
            layer,
            self._kernels.attention_scores,
            x=q,
            keys=keys,
            scale=self._scale,
        )
        weights = run(BrickId.AttentionSoftmax, layer, self._kernels.softmax, x=x)
        return run(
            BrickId.AttentionOutput,
            layer,
            self._kernels.attention_output,
            weights=weights,
            values=values,
        )

    def _feed_forward(self, layer: int, block: Block, x: Array) -> Array:
        x = self._norm(BrickId.RmsNorm, layer, x, block.ffn_norm)
        gate = self._linear(BrickId.GateProjection, layer, x, block.gate)
        up = self._linear(BrickId.UpProjection, layer, x, block.up)
        x = self._run(BrickId.Activation, layer, self._kernels.swiglu, gate=gate, up=up)
        return self._linear(BrickId.DownProjection, layer, x, block.down)

    def _norm(self, brick: str, layer: int | None, x: Array, weight: Array) -> Array:
        eps = self._config.rms_eps
        return self._run(brick, layer, self._kernels.rms_norm, x=x, weight=weight, eps=eps)

    def _linear(self, brick: str, layer: int, x: Array, linear: Linear) -> Array:
        return self._run(brick, layer, self._kernels.linear, x=x, **self._inputs(linear))

    def _add(self, layer: int, x: Array, update: Array) -> Array:
        return self._run(RESIDUAL, layer, self._kernels.residual_add, x=x, update=update)

    def _inputs(self, linear: Linear) -> dict[str, Any]:
        return linear.checked_inputs if self._checked else linear.inputs
