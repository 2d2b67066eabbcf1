"""MLT-04 on PyTorch: some outputs of one product a pass against what they ought to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from tracepact.core.arrays import as_array
from tracepact.engines.torch.bricks import PRODUCTS
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.mapping import MappedModule, ModelMap, map_model
from tracepact.engines.torch.structure import dequantised, stored_weight, weight_by_output
from tracepact.errors import ConfigError
from tracepact.model import ModelTracer

ROWS: Final = 64
"""Outputs that are looked at; of fewer, a chance cancellation would look like an error."""

_THRESHOLDS: Final = {"float64": 1e-6, "float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}
"""Relative error that storing weights and results in a type explains, with room."""

_QUANTISED: Final = 0.14
"""Of types with fewer bits: relative error at a cosine of 0.99, what the contract allows any."""


class ProductTrace:
    """Products of a model, in turn, with the weights that they ought to have.

    Args:
        mapped: The model's map.
        reference: The same model in a finer type; without it a product is held against the
            module's own weights, which finds a wrong kernel and not a wrong weight.

    Raises:
        ConfigError: The reference has no products of the same names and sizes.
    """

    def __init__(self, mapped: ModelMap, reference: nn.Module | None) -> None:
        products = [m for m in mapped.modules if m.brick in PRODUCTS and m.layer is not None]
        others = {m.name: m for m in map_model(reference).modules} if reference is not None else {}
        self._products: list[tuple[MappedModule, nn.Module]] = []
        for product in products:
            module = product.module
            if reference is not None:
                other = others.get(product.name)
                if other is None or weight_by_output(other.module) is None:
                    raise ConfigError(
                        f"the reference has no product {product.name!r} with weights to compare "
                        f"with; give the same model in a finer type"
                    )
                module = other.module
            if dequantised(module) is not None:
                self._products.append((product, module))

    def __len__(self) -> int:
        return len(self._products)

    def hook(
        self, turn: int, tracer: ModelTracer, forward: ForwardPass
    ) -> tuple[nn.Module, Callable[..., None]]:
        """The module whose turn it is, and what is to be called after it."""
        product, counterpart = self._products[turn % len(self._products)]
        first = turn // len(self._products) * ROWS

        def hook(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            if forward.is_on and arguments and not torch.compiler.is_compiling():
                try:
                    _record(tracer, forward, product, counterpart, first, arguments[0], output)
                except Exception as error:
                    tracer.layer.fault("MLT-04", error)

        return product.module, hook


def _record(
    tracer: ModelTracer,
    forward: ForwardPass,
    product: MappedModule,
    counterpart: nn.Module,
    first: int,
    x: torch.Tensor,
    ret: torch.Tensor,
) -> None:
    weight = dequantised(counterpart)
    assert weight is not None, "products without weights take no turns"
    first %= max(1, len(weight) - ROWS + 1)
    rows = slice(first, first + ROWS)
    bias = getattr(counterpart, "bias", None)
    bias = bias() if callable(bias) else bias
    kind = _type_name(product.module)
    newest, result = (_newest(forward.rows(value)) for value in (x, ret))
    if newest is None or result is None:
        return
    tracer.record_quantised_product(
        product.name,
        kind,
        as_array(weight[rows].float()),
        as_array(newest.float()),
        as_array(result[rows].float()),
        bias=None if bias is None else as_array(bias[rows].float()),
        # Under autocast input, weights and result are rounded to a type that the weight is not of.
        threshold=max(_threshold(kind), *(_threshold(_name_of(value)) for value in (x, ret))),
        layer=product.layer,
        brick=product.brick,
    )


def _newest(value: torch.Tensor) -> torch.Tensor | None:
    rows = value.detach().reshape(-1, value.shape[-1])
    return rows[-1] if len(rows) else None


def _threshold(kind: str) -> float:
    return _THRESHOLDS.get(kind, _QUANTISED)


def _type_name(module: nn.Module) -> str:
    weight = stored_weight(module)
    return "?" if weight is None else _name_of(weight)


def _name_of(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
