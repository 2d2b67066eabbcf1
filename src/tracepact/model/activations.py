"""MLT-01: statistics of activations by layer and point, and what a layer adds to its input."""

from __future__ import annotations

from collections import defaultdict
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


def residual_ratios(records: list[ActivationRecord]) -> dict[int, float]:
    """Share of each layer's input in what it passes on, in [0, 1].

    ‖input‖ / (‖input‖ + ‖attention update‖ + ‖feed-forward update‖), L2 norms. Near 1 the layer
    contributes nothing. Layers without these points, or with nothing in them, are left out.
    """
    norms: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for record in records:
        if record.layer is not None:
            norms[record.layer][record.point] = record.stats.l2
    ratios = {}
    for layer, points in norms.items():
        if {"input", "post-attention", "post-ffn"} <= points.keys():
            total = points["input"] + points["post-attention"] + points["post-ffn"]
            if total > 0:
                ratios[layer] = points["input"] / total
    return ratios
