"""What computing a node costs: bytes, operations and nodes, counted from shapes and types.

Bytes are those that the operation cannot avoid: every source and the result once, weights as they
are stored. Unpacking a quantised weight takes operations too, and decoding is bound by them.
"""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import Final

from tracepact.engines.llamacpp.tensors import Tensor
from tracepact.profiling.budget import BrickCost

_PRODUCT_OPERATIONS: Final = 2
_UNPACKING_OPERATIONS: Final = 2
"""An element, beside the two of the product: its bits are taken apart and put into place."""

_UNPACKED: Final = re.compile(r"q\d_(?:[01]|K)")
"""Types that two operations unpack. Those that look weights up in tables take an unknown number."""

_PLAIN: Final = frozenset({"f32", "f16", "bf16"})

_ELEMENT_OPERATIONS: Final = 5

# Nodes that nobody asks for (views, copies of types) are computed with the next one.
_NODES: Final = 3

_PRODUCTS: Final = MappingProxyType({"MUL_MAT": 1, "MUL_MAT_ID": 1, "FUSED_UP_GATE": 2})
"""Operations that multiply, and how many matrices each takes."""


class NodeCosts:
    """Costs of the nodes of a model; those of one are kept until its shape changes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[int, ...], BrickCost | None]] = {}

    def of(self, rule: int, tensor: Tensor) -> BrickCost | None:
        """Cost of a node that was just computed; None where it is not known.

        Args:
            rule: What it is known by.
            tensor: The node.
        """
        first = tensor.source(0)
        sizes = tensor.shape + (() if first is None else first.shape)
        known = self._known.get(rule)
        if known is None or known[0] != sizes:
            known = self._known[rule] = sizes, node_cost(tensor)
        return known[1]


def node_cost(tensor: Tensor) -> BrickCost | None:
    """Cost of computing a node once; None where it is not known.

    It is not for weights of other types than those below, and for products with the cache: their
    rows are so short that what each call of the kernel takes decides, not memory or arithmetic.
    """
    operation, size = tensor.operation, math.prod(tensor.shape)
    sources = [s for s in (tensor.source(i) for i in range(4)) if s is not None]
    moved: float = _bytes(tensor) + sum(map(_bytes, sources))
    if operation == "GET_ROWS":
        return BrickCost(2 * _bytes(tensor), size, _NODES)
    count = _PRODUCTS.get(operation, 0)
    if count == 0 or len(sources) < count:
        return BrickCost(moved, _ELEMENT_OPERATIONS * size, _NODES)
    weights, columns = sources[:count], sources[0].shape[-1]
    if not all(weight.name.endswith(".weight") for weight in weights):
        return None
    if operation == "MUL_MAT_ID":  # only the experts that were chosen are read
        chosen = math.prod(sources[-1].shape) / max(1, weights[0].shape[1])
        moved -= max(0.0, 1 - chosen) * _bytes(weights[0])
    operations = [_operations(weight) for weight in weights]
    if None in operations:
        return None
    return BrickCost(moved, sum(filter(None, operations)) * columns * size, _NODES)


def _operations(weight: Tensor) -> int | None:
    """Of each weight."""
    name = weight.type_name
    if name in _PLAIN:
        return _PRODUCT_OPERATIONS
    return _PRODUCT_OPERATIONS + _UNPACKING_OPERATIONS if _UNPACKED.fullmatch(name) else None


def _bytes(tensor: Tensor) -> int:
    """Of its elements; a view does not reach all that lies between them."""
    return min(tensor.nbytes, math.prod(tensor.shape) * tensor.strides[-1])
