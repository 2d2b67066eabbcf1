"""MLT-02: where attention looks, by layer and head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracepact.core import TensorStats
from tracepact.core.arrays import as_array
from tracepact.types import Array, FloatArray

TRACE: Final = "MLT-02"
EQUATION: Final = ("softmax-kernel-v1", "softmax")
FUSED_EQUATION: Final = ("flash-attention-v1", "output")
RECENT_POSITIONS: Final = 8
_DOMINANT: Final = 0.5


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """Attention of the newest token, by head.

    Attributes:
        layer: Index of the layer.
        row_sum_error: Largest |Σ − 1| over every row of the pass.
        top_positions: [heads, k] positions with the largest weights, largest first.
        top_weights: [heads, k] their weights.
        tail_mass: [heads] weight outside the top k.
        entropy: [heads] in nats.
        sink_mass: [heads] weight on position 0.
        recent_mass: [heads] weight on the last 8 positions, position 0 apart.
    """

    layer: int
    row_sum_error: float
    top_positions: Array
    top_weights: FloatArray
    tail_mass: FloatArray
    entropy: FloatArray
    sink_mass: FloatArray
    recent_mass: FloatArray

    @property
    def patterns(self) -> list[str]:
        """What each head looks at: `sink`, `recent` or `spread`."""
        return [
            "sink" if sink > _DOMINANT else "recent" if recent > _DOMINANT else "spread"
            for sink, recent in zip(self.sink_mass, self.recent_mass, strict=True)
        ]


def row_sum_error(sums: TensorStats) -> float:
    """Largest |Σ − 1| of rows, from the statistics of their sums; 0 without rows."""
    return max(abs(sums.lowest - 1.0), abs(sums.highest - 1.0)) if sums.count else 0.0


def describe(layer: int, weights: Array, row_sum_error: float, top_k: int) -> AttentionRecord:
    """Describe the last query row of every head.

    Args:
        layer: Index of the layer.
        weights: [..., heads, queries, keys] after the softmax; heads of a batch follow each
            other.
        row_sum_error: Measured when the rows were checked.
        top_k: Positions to keep.

    O(heads · keys), whatever the number of queries.
    """
    rows = as_array(weights)
    rows = rows.reshape(-1, *rows.shape[-2:])[:, -1, :].astype(np.float64)
    keys = rows.shape[-1]
    k = min(top_k, keys)
    top = np.argpartition(rows, keys - k, axis=-1)[:, keys - k :]
    order = np.argsort(-np.take_along_axis(rows, top, -1), axis=-1)
    positions = np.take_along_axis(top, order, -1)
    top_weights = np.take_along_axis(rows, positions, -1)
    with np.errstate(all="ignore"):
        entropy = -np.sum(rows * np.log(np.where(rows > 0, rows, 1.0)), axis=-1)
    return AttentionRecord(
        layer=layer,
        row_sum_error=row_sum_error,
        top_positions=positions,
        top_weights=top_weights,
        tail_mass=rows.sum(-1) - top_weights.sum(-1),
        entropy=entropy,
        sink_mass=rows[:, 0],
        recent_mass=rows[:, max(1, keys - RECENT_POSITIONS) :].sum(-1),
    )
