"""Faults that can be planted to see them found: `KIND[@LAYER[.BRICK]]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tracepact.errors import ConfigError
from tracepact.model.bricks import KV_CACHE_WRITE
from tracepact.types import BrickId


class FaultKind(StrEnum):
    """What goes wrong."""

    NAN = "nan"
    """One element of a brick's result becomes NaN, once."""
    INF = "inf"
    """One element of a brick's result becomes Inf, once."""
    ROW_SCALE = "row-scale"
    """The last row of a brick's result is scaled by 0.93, once."""
    LOGIT_SCALE = "logit-scale"
    """The logits are scaled by 100, once."""
    KV_OVERFLOW = "kv-overflow"
    """A key is written where it does not belong, past the capacity of the cache if that can be."""
    BIT_FLIP = "bit-flip"
    """One exponent bit of one weight in memory flips, for good."""
    SLOW = "slow"
    """A brick takes ten times its time, on every call."""


DEFAULT_BRICKS: Final = MappingProxyType(
    {
        FaultKind.NAN: BrickId.DownProjection,
        FaultKind.INF: BrickId.DownProjection,
        FaultKind.ROW_SCALE: BrickId.AttentionSoftmax,
        FaultKind.LOGIT_SCALE: BrickId.LmHead,
        FaultKind.KV_OVERFLOW: KV_CACHE_WRITE,
        FaultKind.BIT_FLIP: BrickId.DownProjection,
        FaultKind.SLOW: BrickId.DownProjection,
    }
)
_OUTSIDE_LAYERS: Final = frozenset({BrickId.Embedding, BrickId.LmHead, BrickId.Sampling})
_FIXED_BRICK: Final = frozenset({FaultKind.LOGIT_SCALE, FaultKind.KV_OVERFLOW})
_SPEC: Final = re.compile(r"([a-z-]+)(?:@(\d+)?(?:\.?([A-Za-z]\w*))?)?")


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault: what, in which layer (None outside the stack), in which brick."""

    kind: FaultKind
    layer: int | None
    brick: str

    @classmethod
    def parse(cls, text: str, layers: int) -> FaultSpec:
        """Read `KIND[@LAYER[.BRICK]]`; `KIND@BRICK` for bricks outside the layers.

        Args:
            text: As in `nan@7.GateProjection`; the middle layer and the kind's usual brick by
                default.
            layers: How many layers the model has.

        Raises:
            ConfigError: Unknown kind, no such layer, or a brick that the kind cannot hit.
        """
        match = _SPEC.fullmatch(text)
        if match is None or match[1] not in set(FaultKind):
            raise ConfigError(
                f"cannot plant {text!r}; write KIND[@LAYER[.BRICK]] with one of the kinds: "
                f"{', '.join(FaultKind)}"
            )
        kind = FaultKind(match[1])
        brick = match[3] or DEFAULT_BRICKS[kind]
        if kind in _FIXED_BRICK and brick != DEFAULT_BRICKS[kind]:
            raise ConfigError(f"{kind} hits the brick {DEFAULT_BRICKS[kind]}, not {brick}")
        if brick == BrickId.Sampling and kind is not FaultKind.SLOW:
            raise ConfigError(f"{kind} cannot hit Sampling, whose result is a token; use LmHead")
        if brick in _OUTSIDE_LAYERS:
            return cls(kind, None, brick)
        layer = int(match[2]) if match[2] else layers // 2
        if layer >= layers:
            raise ConfigError(f"no layer {layer} to plant {kind} in; the model has {layers}")
        return cls(kind, layer, brick)

    def __str__(self) -> str:
        place = f"{self.layer}." if self.layer is not None else ""
        return f"{self.kind}@{place}{self.brick}"
