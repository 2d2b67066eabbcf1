"""MLT-04 on llama.cpp: some outputs of products, in turn, against the file's own weights."""

from __future__ import annotations

from collections.abc import Set
from types import MappingProxyType
from typing import Final

import numpy as np

from tracepact.engines.llamacpp.model_file import ModelFile
from tracepact.engines.llamacpp.nodes import Node
from tracepact.engines.llamacpp.tensors import Tensor
from tracepact.model import ModelTracer
from tracepact.types import Array, BrickId

ROWS: Final = 64
"""Outputs that are looked at; of fewer, a chance cancellation would look like an error."""

_EVERY: Final = 8
"""Tokens of prompts after which a product is compared: dequantising rows costs more than all other
checks."""

_DECODED, _DECODED_OWN = 2, 4
"""Decoded tokens that count as one of a prompt: with a reference, and with the model's own file,
against which only a wrong kernel shows, in every pass."""

_MOST: Final = 8
"""Products that one pass compares: those of a layer."""

_STRIDE: Final = 7919
"""A prime, so that rows of prompts of any length come to be looked at."""

_MARGIN: Final = 2.5
"""Allowed over the expected error, which healthy products keep within half as much again."""

_CANCELLED: Final = 0.05
"""From this expected error on, outputs are small against what rounding does to them: they say
nothing about the weights."""

_NOTHING: Final[frozenset[int]] = frozenset()

_BLOCK, _SUPER_BLOCK = 32, 256
_EXACT: Final = MappingProxyType({"F32": 2.0**-20, "F16": 2.0**-11, "BF16": 2.0**-8})
"""Types whose products take their input as floats, and how far these are rounded."""


class ProductTrace:
    """Products of a model, in turn.

    The weights are dequantised anew from the file and multiplied with the product's own input in
    float64. llama.cpp rounds that input to 8 bits in blocks; what that does to these very outputs
    is computed beside them, and the threshold is a multiple of it.

    Args:
        tracer: Takes the trace.
        file: What the weights ought to be; without it nothing is compared.
        is_own: Whether that is the file that the model was loaded from.
    """

    def __init__(self, tracer: ModelTracer, file: ModelFile | None, *, is_own: bool) -> None:
        self._tracer = tracer
        self._file = file
        self._rules: list[int] = []
        self._decoded = _DECODED_OWN if is_own else _DECODED
        self._waiting = self._decoded * _EVERY - 1  # decoded tokens since the last turn
        self._taken = 0
        self._turn: Set[int] = _NOTHING
        self._missing = 0

    def add(self, node: Node, rule: int) -> bool:
        """A node that was met; whether it is a product to be looked at in this pass already."""
        is_known = self._file is not None and self._file.type_of(node.weight or "") is not None
        if not is_known or node.brick == BrickId.LmHead:
            return False
        self._rules.append(rule)
        if self._missing == 0:
            return False
        self._missing -= 1
        self._taken += 1
        self._turn |= {rule}
        return True

    def take_turn(self, tokens: int) -> list[int]:
        """The products to look at in a pass of so many tokens."""
        waiting, every = self._waiting, self._decoded * _EVERY
        waiting += 1 if tokens == 1 else self._decoded * tokens
        if waiting < every:
            self._waiting, self._missing, self._turn = waiting, 0, _NOTHING
            return []
        due, self._waiting = divmod(waiting, every)
        due, known = min(due, _MOST), len(self._rules)
        self._missing = 0 if known else due
        turn = [self._rules[(self._taken + i) % known] for i in range(min(due, known))]
        self._turn = frozenset(turn)
        self._taken += len(turn)
        return turn

    def is_turn_of(self, rule: int) -> bool:
        """Whether this is one of the products to look at."""
        return rule in self._turn

    def compare(self, node: Node, tensor: Tensor) -> None:
        """Hold a row of a product, another one each time, against what it ought to be."""
        file, name = self._file, node.weight
        source = tensor.reach((1,))
        x, ret = None if source is None else source.array(2), tensor.array(2)
        if file is None or name is None or x is None or ret is None:
            return
        count = file.row_count(name)
        if count != ret.shape[-1]:
            return  # the engine has put several matrices into one
        first = self._taken // len(self._rules) * ROWS % max(1, count - ROWS + 1)
        rows = np.arange(first, min(first + ROWS, count))
        token = self._taken * _STRIDE % len(ret)
        weight, taken = file.rows(name, rows), np.ascontiguousarray(x[token])
        quant_type = file.type_of(name) or "?"
        expected = expected_error(weight, taken, quant_type)
        if expected > _CANCELLED:
            return
        self._tracer.record_quantised_product(
            name,
            quant_type,
            weight,
            taken,
            np.ascontiguousarray(ret[token, rows]),
            threshold=_MARGIN * expected,
            layer=node.layer,
            brick=node.brick,
        )


def expected_error(weight: Array, x: Array, quant_type: str) -> float:
    """Relative error (Frobenius) that rounding the input of a product leads to.

    Rounding is uniform within half a step, and errors of different inputs add up as squares.

    Args:
        weight: [rows, n], dequantised.
        x: [n], before it is rounded.
        quant_type: Of the weight, which decides on the blocks in which the input is rounded.
    """
    steps = _EXACT.get(quant_type)
    if steps is not None:
        half_step = np.abs(x) * steps
    else:
        is_super = quant_type.endswith("K") or quant_type.startswith("IQ")
        block = min(_SUPER_BLOCK if is_super else _BLOCK, len(x))
        half_step = np.abs(x[: len(x) // block * block].reshape(-1, block)).max(-1) / 254
        half_step = np.repeat(half_step, block)
        weight = weight[:, : len(half_step)]
        x = x[: len(half_step)]
    reference = weight @ x
    squares = np.einsum("ij,ij->j", weight, weight) @ np.square(half_step) / 3
    size = float(np.linalg.norm(reference))
    return float(np.sqrt(squares)) / size if size else np.inf
