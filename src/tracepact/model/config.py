"""What a model tracer looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceConfig:
    """Traces to take on every forward pass.

    Attributes:
        activations: MLT-01.
        attention: MLT-02.
        logits: MLT-03.
        quantisation: MLT-04.
        kv_cache: MLT-05.
        bricks: Check each brick against the contract of its own kernel.
        top_k: Attention positions and tokens that MLT-02 and MLT-03 keep.
        full_ranks: MLT-03 ranks tracked tokens among the whole vocabulary at every layer, which
            costs one output projection a layer; otherwise only among the tracked ones.
    """

    activations: bool = False
    attention: bool = False
    logits: bool = False
    quantisation: bool = False
    kv_cache: bool = False
    bricks: bool = False
    top_k: int = 5
    full_ranks: bool = False

    @classmethod
    def full(cls) -> TraceConfig:
        """All five traces, and every brick."""
        return cls(
            activations=True,
            attention=True,
            logits=True,
            quantisation=True,
            kv_cache=True,
            bricks=True,
        )

    @classmethod
    def lightweight(cls) -> TraceConfig:
        """Activations and KV cache."""
        return cls(activations=True, kv_cache=True)

    @classmethod
    def off(cls) -> TraceConfig:
        """Nothing."""
        return cls()

    @property
    def is_off(self) -> bool:
        """Whether nothing is traced."""
        return not (
            self.activations
            or self.attention
            or self.logits
            or self.quantisation
            or self.kv_cache
            or self.bricks
        )
