"""MLT-04: how far quantised tensors are from their reference."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tracepact.core import ErrorStats

TRACE: Final = "MLT-04"
EQUATION: Final = ("quantization-ordering-v1", "quantization_error")

_NORMAL_ERROR: Final = MappingProxyType(
    {
        "F32": 1e-7,
        "F16": 3e-4,
        "BF16": 2e-3,
        "Q8_0": 0.0054,
        "Q6_K": 0.018,
        "Q5_1": 0.038,
        "Q5_K": 0.036,
        "Q5_0": 0.043,
        "Q4_K": 0.071,
        "Q4_1": 0.078,
        "Q4_0": 0.086,
    }
)
"""Relative Frobenius error of each type on N(0, 1), as in the contract's invariants."""

_HEAVY_TAILS: Final = 1.6
"""Real weights have heavier tails than N(0, 1): blocks with an outlier lose precision elsewhere."""

_UNKNOWN_TYPE: Final = 0.14
"""Relative error at a cosine of 0.99: what the contract allows any type."""


@dataclass(frozen=True, slots=True)
class QuantisationRecord:
    """One tensor (or the output of one matmul) against its reference."""

    tensor: str
    quant_type: str
    layer: int | None
    brick: str | None
    error: ErrorStats


def fields(error: ErrorStats, threshold: float) -> dict[str, Any]:
    """What the contract looks at."""
    return {
        "cosine": error.cosine,
        "relative_error": error.relative_error,
        "threshold": threshold,
        "max_abs_error": error.max_abs_error,
        "block_max": error.block_max,
    }


def error_threshold(quant_type: str) -> float:
    """Largest relative error (Frobenius) that storing weights in this GGML type explains."""
    normal = _NORMAL_ERROR.get(quant_type)
    return _UNKNOWN_TYPE if normal is None else normal * _HEAVY_TAILS
