"""Types that more than one room uses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """A place in a text file; lines and columns count from 1."""

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        end = "" if self.column is None else f":{self.column}"
        return f"{self.file}:{self.line}{end}"


class BrickCategory(StrEnum):
    """Coarse groups of bricks, for totals."""

    NORM = "Norm"
    ATTENTION = "Attention"
    FFN = "FFN"
    OTHER = "Other"


class BrickId(StrEnum):
    """Bricks that every engine knows; any other string names a custom brick."""

    RmsNorm = "RmsNorm"
    LayerNorm = "LayerNorm"
    QkvProjection = "QkvProjection"
    RopeEmbedding = "RopeEmbedding"
    AttentionScore = "AttentionScore"
    AttentionSoftmax = "AttentionSoftmax"
    AttentionOutput = "AttentionOutput"
    OutputProjection = "OutputProjection"
    GateProjection = "GateProjection"
    UpProjection = "UpProjection"
    Activation = "Activation"
    DownProjection = "DownProjection"
    Embedding = "Embedding"
    LmHead = "LmHead"
    Sampling = "Sampling"

    @property
    def category(self) -> BrickCategory:
        """The group this brick belongs to."""
        return _CATEGORIES.get(self, BrickCategory.OTHER)


_CATEGORIES = {
    BrickId.RmsNorm: BrickCategory.NORM,
    BrickId.LayerNorm: BrickCategory.NORM,
    BrickId.QkvProjection: BrickCategory.ATTENTION,
    BrickId.RopeEmbedding: BrickCategory.ATTENTION,
    BrickId.AttentionScore: BrickCategory.ATTENTION,
    BrickId.AttentionSoftmax: BrickCategory.ATTENTION,
    BrickId.AttentionOutput: BrickCategory.ATTENTION,
    BrickId.OutputProjection: BrickCategory.ATTENTION,
    BrickId.GateProjection: BrickCategory.FFN,
    BrickId.UpProjection: BrickCategory.FFN,
    BrickId.Activation: BrickCategory.FFN,
    BrickId.DownProjection: BrickCategory.FFN,
}


def brick_category(brick: str) -> BrickCategory:
    """Category of a known or custom brick name; custom ones are `Other`."""
    return BrickId(brick).category if brick in BrickId.__members__ else BrickCategory.OTHER
