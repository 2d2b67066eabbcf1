"""MLT-01: statistics of activations by layer and point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracepact.core import TensorStats

TRACE: Final = "MLT-01"
EQUATION: Final = ("activation-kernel-v1", "finite")


@dataclass(frozen=True, slots=True)
class ActivationRecord:
    """One point of one layer; `layer` is None outside the stack of layers."""

    layer: int | None
    point: str
    stats: TensorStats
