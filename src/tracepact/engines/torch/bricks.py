"""What the contract of a brick wants to know of a module beside its input and its result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import nn

from tracepact.engines.torch.mapping import ATTENTION, LAYER, MLP, MappedModule
from tracepact.engines.torch.structure import NormKind, norm_eps, weight_by_output
from tracepact.model import activations
from tracepact.model.bricks import BRICK_EQUATIONS, QK_NORM
from tracepact.types import BrickId

_BLOCK: Final = 1 << 16
"""Elements of a weight that are widened to float64 at a time, so that they stay in the cache."""

PRODUCTS: Final = frozenset(
    {
        BrickId.QkvProjection,
        BrickId.OutputProjection,
        BrickId.GateProjection,
        BrickId.UpProjection,
        BrickId.DownProjection,
        BrickId.LmHead,
    }
)
"""Bricks whose product is held against a checksum of their weight."""


_PARTS: Final = frozenset({LAYER, ATTENTION, MLP})
_EQUATIONS: Final[Mapping[str, tuple[str, str]]] = BRICK_EQUATIONS


def equation_of(mapped: MappedModule) -> tuple[str, str] | None:
    """Contract and equation that a module's result is held against; None: it is only timed."""
    if mapped.brick in _PARTS:
        return activations.EQUATION
    is_norm = mapped.brick in (BrickId.RmsNorm, BrickId.LayerNorm, QK_NORM)
    if is_norm or mapped.brick in PRODUCTS or mapped.brick == BrickId.Embedding:
        return _EQUATIONS[mapped.brick]
    return None


def known_fields(mapped: MappedModule) -> dict[str, Any] | None:
    """Fields that stay the same from call to call; None where its contract cannot be checked.

    Sums of weights are taken now, in float64, so that a later change of a weight shows.
    Parameters are handed over as they are: who replaces them is seen.
    """
    module = mapped.module
    if mapped.brick in (BrickId.RmsNorm, QK_NORM) and mapped.norm in (
        NormKind.RMS,
        NormKind.RMS_PLUS_ONE,
    ):
        weight = _weight(module)
        if mapped.norm is NormKind.RMS_PLUS_ONE:
            weight = 1.0 + weight.float()
        return {"weight": _shared(weight), "eps": norm_eps(module)}
    if mapped.brick == BrickId.LayerNorm:
        bias = getattr(module, "bias", None)
        weight = _weight(module)
        bias = torch.zeros_like(weight) if bias is None else bias.detach()
        return {"weight": _shared(weight), "bias": _shared(bias), "eps": norm_eps(module)}
    if mapped.brick in PRODUCTS and isinstance(getattr(module, "weight", None), torch.Tensor):
        return _checksums(module)
    if mapped.brick == BrickId.Embedding and type(module) is nn.Embedding:
        return {"weight": _weight(module)}
    return None


def row_norms(weight: torch.Tensor) -> torch.Tensor:
    """L2 norm of each row [out] of a weight [out, in], float32."""
    parts = [torch.linalg.vector_norm(block, dim=1) for block in _wide_blocks(weight)]
    return torch.cat(parts).float()


def _wide_blocks(weight: torch.Tensor) -> Iterator[torch.Tensor]:
    """Rows of a weight [out, in] in float64, a few at a time."""
    rows = max(1, _BLOCK // max(1, weight.shape[1]))
    for start in range(0, len(weight), rows):
        yield weight[start : start + rows].double()


def _shared(value: torch.Tensor) -> Any:
    """The same memory as an array of NumPy, which is quicker to look at, where NumPy has such."""
    is_known = value.device.type == "cpu" and value.dtype != torch.bfloat16
    return value.numpy() if is_known else value


def _weight(module: nn.Module) -> torch.Tensor:
    weight = module.weight
    assert isinstance(weight, torch.Tensor), "its brick says so"
    return weight.detach()


def _checksums(module: nn.Module) -> dict[str, Any] | None:
    weight = weight_by_output(module)
    if weight is None:
        return None
    column_sums = torch.zeros(weight.shape[1], dtype=torch.float64, device=weight.device)
    squares = 0.0
    for wide in _wide_blocks(weight):
        column_sums += wide.sum(0)
        squares += float(wide.square().sum())
    bias = getattr(module, "bias", None)
    return {
        "column_sums": column_sums.cpu().numpy(),
        "bias_sum": 0.0 if bias is None else float(bias.detach().double().sum()),
        "weight_norm": math.sqrt(squares),
    }
