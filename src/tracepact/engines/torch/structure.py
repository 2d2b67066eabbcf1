"""What a module is, by what it holds and what it computes; never by the name of a family."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import torch
from torch import nn

_INERT: Final = (nn.Dropout, nn.Identity)
_NEAR: Final = 0.03
"""Share of the largest result that rounding to bfloat16 explains."""


class NormKind(StrEnum):
    """What a norm computes."""

    RMS = "rms"
    """weight · x / sqrt(mean(x²) + eps)"""
    RMS_PLUS_ONE = "rms-plus-one"
    """(1 + weight) · x / sqrt(mean(x²) + eps), as Gemma's"""
    LAYER = "layer"
    """The mean is taken off first."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside `torch.compile`, `DataParallel` and wrappers alike."""
    for name in ("_orig_mod", "module"):
        inner = getattr(model, name, None)
        if isinstance(inner, nn.Module) and len(list(model.children())) == 1:
            return unwrapped(inner)
    return model


def is_inert(module: nn.Module) -> bool:
    """Whether it passes on what it gets, when a model is not trained."""
    return isinstance(module, _INERT)


def linear_size(module: nn.Module) -> tuple[int, int] | None:
    """(in, out) of a matrix product with weights, or None."""
    size = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if isinstance(size[0], int) and isinstance(size[1], int):
        return size[0], size[1]
    weight, out = getattr(module, "weight", None), getattr(module, "nf", None)
    if isinstance(weight, torch.Tensor) and weight.dim() == 2 and weight.shape[1] == out:
        return int(weight.shape[0]), int(weight.shape[1])  # transformers' Conv1D
    return None


def stored_weight(module: nn.Module) -> torch.Tensor | None:
    """The weight as it is stored; modules of `torch.ao` give theirs out when they are asked."""
    weight: Any = getattr(module, "weight", None)
    if callable(weight) and not isinstance(weight, torch.Tensor):
        weight = weight()
    return weight if isinstance(weight, torch.Tensor) else None


def dequantised(module: nn.Module) -> torch.Tensor | None:
    """The weight [out, in] as numbers; None where a module keeps it in a form of its own."""
    weight = stored_weight(module)
    if weight is not None and weight.is_quantized:
        return weight.dequantize()
    return weight_by_output(module)


def weight_by_output(module: nn.Module) -> torch.Tensor | None:
    """The weight [out, in] of a matrix product, a view; None where it is packed or nowhere."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2 or weight.is_meta:
        return None
    if not weight.is_floating_point():
        return None
    return weight.detach() if hasattr(module, "in_features") else weight.detach().T


def linears(module: nn.Module) -> Iterator[tuple[str, nn.Module, int, int]]:
    """Direct children that are matrix products: name, module, in, out; as registered."""
    for name, child in module.named_children():
        size = linear_size(child)
        if size is not None:
            yield name, child, *size


def norm_size(module: nn.Module) -> int | None:
    """Elements that a norm's weight has, or None where this is none."""
    weight = getattr(module, "weight", None)
    has_eps = any(
        isinstance(getattr(module, name, None), float)
        for name in ("eps", "variance_epsilon", "epsilon")
    )
    if not (has_eps and isinstance(weight, torch.Tensor) and weight.dim() == 1):
        return None
    return None if any(True for _ in module.children()) else int(weight.shape[0])


def norm_eps(module: nn.Module) -> float:
    """What keeps a norm from dividing by zero."""
    for name in ("eps", "variance_epsilon", "epsilon"):
        value = getattr(module, name, None)
        if isinstance(value, float):
            return value
    raise TypeError(f"{type(module).__name__} is no norm with an eps")


def norm_kind(module: nn.Module) -> NormKind | None:
    """What a norm computes, found by trying it on one row; None where it is neither.

    Hooks do not see the trial. Weights that lie nowhere (`meta`) leave only the class's name.
    """
    weight = module.weight
    assert isinstance(weight, torch.Tensor), "norm_size has seen one"
    if weight.is_meta:
        is_rms = "rms" in type(module).__name__.lower()
        return NormKind.RMS if is_rms else NormKind.LAYER
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(weight.shape[0], generator=generator) + 2.0  # with a mean, to tell them apart
    x = x.to(weight.device, weight.dtype)
    with torch.no_grad():
        try:
            found = module.forward(x[None])[0].double()
        except Exception:  # a norm of another shape, or with more arguments
            return None
        errors = {
            kind: float((found - expected).abs().max())
            for kind, expected in _candidates(module, x.double(), weight.double()).items()
        }
    nearest = min(errors, key=errors.__getitem__)
    return nearest if errors[nearest] <= _NEAR * float(found.abs().max()) else None


def _candidates(
    module: nn.Module, x: torch.Tensor, weight: torch.Tensor
) -> dict[NormKind, torch.Tensor]:
    eps, bias = norm_eps(module), getattr(module, "bias", None)
    rms = x / torch.sqrt(x.square().mean() + eps)
    centred = x - x.mean()
    layer = centred / torch.sqrt(centred.square().mean() + eps) * weight
    return {
        NormKind.RMS: rms * weight,
        NormKind.RMS_PLUS_ONE: rms * (1 + weight),
        NormKind.LAYER: layer if bias is None else layer + bias.double(),
    }


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; those of the first, where they are spread."""
    for weight in model.parameters():
        return weight.device
    return torch.device("cpu")


def text_config(model: nn.Module) -> Any:
    """The configuration of the language model inside, or None."""
    config = getattr(model, "config", None)
    chosen = getattr(config, "get_text_config", None)
    return chosen() if callable(chosen) else config
