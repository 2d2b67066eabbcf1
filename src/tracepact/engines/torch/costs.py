"""What one call of a module costs: bytes, floating-point operations and operations of PyTorch.

Counted from shapes and types, not measured. Bytes are those that the operation cannot avoid: every
weight, input and result once.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from tracepact.engines.torch.bricks import PRODUCTS
from tracepact.engines.torch.mapping import MappedModule
from tracepact.model.bricks import QK_NORM
from tracepact.profiling.budget import BrickCost
from tracepact.types import BrickId

_NORMS: Final = frozenset({BrickId.RmsNorm, BrickId.LayerNorm, QK_NORM})
_NORM_FLOPS: Final = 4
_ACTIVATION_FLOPS: Final = 5

# Operations of PyTorch that a module calls, itself included: each pays for its dispatch.
_PRODUCT_LAUNCHES: Final = 2
_NORM_LAUNCHES: Final = 8
_ACTIVATION_LAUNCHES: Final = 2


def module_cost(mapped: MappedModule, arguments: tuple[Any, ...], ret: Any) -> BrickCost | None:
    """Cost of one call; None where a module's work does not follow from its weight.

    That of an embedding does not either: it is the first module of a pass, and what it takes is
    the interpreter's way back from whatever ran before.

    Args:
        mapped: the module and the brick that it is.
        arguments: what it was called with.
        ret: what it gave out.
    """
    module, brick = mapped.module, mapped.brick
    x = arguments[0] if arguments else None
    if not (isinstance(x, torch.Tensor) and isinstance(ret, torch.Tensor)):
        return None
    moved = x.nbytes + ret.nbytes
    if brick in _NORMS:
        weights = sum(each.nbytes for each in module.parameters(recurse=False))
        return BrickCost(moved + weights, _NORM_FLOPS * ret.numel(), _NORM_LAUNCHES)
    if brick == BrickId.Activation:
        return BrickCost(moved, _ACTIVATION_FLOPS * ret.numel(), _ACTIVATION_LAUNCHES)
    weight = getattr(module, "weight", None)
    if brick in PRODUCTS and isinstance(weight, nn.Parameter) and _is_dense(weight):
        rows = ret.numel() // max(1, ret.shape[-1])
        bias = getattr(module, "bias", None)
        moved += weight.nbytes + (0 if bias is None else bias.nbytes)
        return BrickCost(moved, 2 * weight.numel() * rows, _PRODUCT_LAUNCHES)
    return None


def _is_dense(weight: nn.Parameter) -> bool:
    """Whether a product reads this matrix as it stands."""
    return weight.dim() == 2 and weight.is_floating_point()
