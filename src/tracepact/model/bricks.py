"""Which contract checks which brick; every engine hands in the fields that these equations name."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tracepact.types import BrickId

QK_NORM: Final = "QkNorm"
KV_CACHE_WRITE: Final = "KvCacheWrite"
RESIDUAL: Final = "Residual"

_CHECKSUM = ("linear-projection-v1", "checksum")

BRICK_EQUATIONS: Final = MappingProxyType(
    {
        BrickId.Embedding: ("embedding-lookup-v1", "lookup"),
        BrickId.RmsNorm: ("rmsnorm-kernel-v1", "rmsnorm"),
        BrickId.LayerNorm: ("layernorm-kernel-v1", "layernorm"),
        BrickId.QkvProjection: _CHECKSUM,
        BrickId.RopeEmbedding: ("rope-kernel-v1", "rope"),
        BrickId.AttentionScore: ("attention-kernel-v1", "scores"),
        BrickId.AttentionSoftmax: ("softmax-kernel-v1", "softmax"),
        BrickId.AttentionOutput: ("attention-kernel-v1", "output"),
        BrickId.OutputProjection: _CHECKSUM,
        BrickId.GateProjection: _CHECKSUM,
        BrickId.UpProjection: _CHECKSUM,
        BrickId.Activation: ("activation-kernel-v1", "swiglu"),
        BrickId.DownProjection: _CHECKSUM,
        BrickId.LmHead: _CHECKSUM,
        BrickId.Sampling: ("sampling-algorithms-v1", "sample"),
        QK_NORM: ("qk-norm-v1", "qk_norm"),
        KV_CACHE_WRITE: ("kv-cache-equivalence-v1", "append"),
        RESIDUAL: ("tensor-shape-flow-v1", "residual"),
    }
)
"""Brick to (contract, equation). Where MLT-02 is taken, it checks AttentionSoftmax."""

ACTIVATION_POINTS: Final = MappingProxyType(
    {
        BrickId.RmsNorm: "post-norm",
        BrickId.LayerNorm: "post-norm",
        BrickId.OutputProjection: "post-attention",
        BrickId.DownProjection: "post-ffn",
    }
)
"""Bricks whose output is a point of MLT-01."""
