"""MLT-01: statistics of activations by layer and point, and what a layer adds to its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tracepact.core import TensorStats

TRACE: Final = "MLT-01"
EQUATION: Final = ("activation-kernel-v1", "finite")
POINTS: Final = ("input", "post-norm", "post-attention", "post-ffn", "output")


@dataclass(frozen=True, slots=True)
class ActivationRecord:
    """One point of one layer; `layer` is None outside the stack of layers."""

    layer: int | None
    point: str
    stats: TensorStats


def residual_ratio(records: list[ActivationRecord], layer: int) -> float:
    """Share of a layer's input in what it passes on, in [0, 1]; NaN if a point is missing.

    ‖input‖ / (‖input‖ + ‖attention update‖ + ‖feed-forward update‖), L2 norms. Near 1 the layer
    contributes nothing.
    """
    norms = {r.point: r.stats.l2 for r in records if r.layer == layer}
    try:
        total = norms["input"] + norms["post-attention"] + norms["post-ffn"]
        return norms["input"] / total if total else math.nan
    except KeyError:
        return math.nan
