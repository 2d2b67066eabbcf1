"""Plants one fault into a running PyTorch model, from outside: by a hook or into a weight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch

from tracepact.engines.reference.injector import LOGIT_SCALE, ROW_SCALE, slow_down
from tracepact.engines.torch.mapping import ModelMap, map_model
from tracepact.errors import ConfigError
from tracepact.faults.spec import FaultKind, FaultSpec
from tracepact.types import BrickId

_ELSEWHERE: Final = {FaultKind.KV_OVERFLOW: "needs a cache of fixed size"}
"""Kinds that would not be found here, and why."""

_EXPONENTS: Final = {
    torch.float32: (torch.int32, range(23, 31)),
    torch.float16: (torch.int16, range(10, 15)),
    torch.bfloat16: (torch.int16, range(7, 15)),
}
"""Where the bits of the exponent are, in integers of the same width."""


class TorchInjector:
    """Hits the module that is one brick of one layer.

    Args:
        spec: What to plant and where.
        model: The model that is hit.
        at_forward: Index of the forward pass in which the fault first acts; 0 is the prompt's.
        seed: Chooses the element (and for a bit flip the bit).

    Attributes:
        description: What was done, once it was; None before.

    Raises:
        ConfigError: The kind is none of this engine's, or no module is that brick.
    """

    def __init__(self, spec: FaultSpec, model: Any, *, at_forward: int = 1, seed: int = 0) -> None:
        if spec.kind in _ELSEWHERE:
            raise ConfigError(f"{spec.kind} {_ELSEWHERE[spec.kind]}; use --engine reference")
        self.spec = spec
        self.description: str | None = None
        self._model = model
        self._module = _module_of(spec, model)
        self._at_forward = at_forward
        self._forwards = -1
        self._start = 0.0
        self._random = np.random.default_rng(seed)
        if spec.kind is FaultKind.BIT_FLIP and not hasattr(self._module, "weight"):
            raise ConfigError(f"bit-flip needs a brick with a weight; {spec.brick} has none")

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Hooks for as long as the `with` block; a flipped bit stays flipped."""
        handles = [
            self._model.register_forward_pre_hook(self._count),
            self._module.register_forward_pre_hook(self._begin),
            self._module.register_forward_hook(self._hit),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _count(self, *_: Any) -> None:
        self._forwards += 1
        if self.spec.kind is FaultKind.BIT_FLIP and self._forwards == self._at_forward:
            self._flip_bit()

    def _begin(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def _hit(self, module: Any, inputs: Any, output: Any) -> Any:
        if self.spec.kind is FaultKind.SLOW:
            self.description = slow_down(self._start)
            return None
        is_due = self.description is None and self._forwards >= self._at_forward
        if not is_due or self.spec.kind is FaultKind.BIT_FLIP:
            return None
        parts = list(output) if isinstance(output, tuple) else [output]
        which = 1 if self.spec.brick == BrickId.AttentionSoftmax else 0
        parts[which] = self._damaged(parts[which])
        return tuple(parts) if isinstance(output, tuple) else parts[0]

    def _damaged(self, value: Any) -> Any:
        value = value.clone()
        match self.spec.kind:
            case FaultKind.NAN | FaultKind.INF as kind:
                number = float("nan") if kind is FaultKind.NAN else float("inf")
                index = tuple(int(self._random.integers(n)) for n in value.shape)
                value[index] = number
                self.description = f"set element {list(index)} to {number}"
            case FaultKind.ROW_SCALE:
                value[..., -1, :] *= ROW_SCALE
                self.description = f"scaled the last row by {ROW_SCALE}"
            case FaultKind.LOGIT_SCALE:
                value *= LOGIT_SCALE
                self.description = f"scaled the logits by {LOGIT_SCALE:g}"
        return value

    def _flip_bit(self) -> None:
        weight = self._module.weight.data
        if weight.dtype not in _EXPONENTS:
            raise ConfigError(f"bit-flip needs weights of 16 or 32 bits, not {weight.dtype}")
        index = tuple(int(self._random.integers(n)) for n in weight.shape)
        integer, bits = _EXPONENTS[weight.dtype]
        bit = int(self._random.choice(bits))
        before = float(weight[index])
        weight.view(integer)[index] ^= 1 << bit
        self.description = (
            f"flipped bit {bit} of weight {list(index)}: {before:.6g} became "
            f"{float(weight[index]):.6g}"
        )


def _module_of(spec: FaultSpec, model: Any) -> Any:
    """The module that computes a brick; the first one, where several do."""
    mapped: ModelMap = map_model(model)
    if spec.brick == BrickId.AttentionSoftmax and spec.layer is not None:
        attention = mapped.layers[spec.layer].attention
        if attention is not None:
            return attention.module  # returns its weights beside its output
    for each in mapped.modules:
        if (each.brick, each.layer) == (spec.brick, spec.layer):
            return each.module
    known = sorted({each.brick for each in mapped.modules if each.layer == spec.layer})
    raise ConfigError(
        f"no module is the brick {spec.brick} of layer {spec.layer}; there are: {', '.join(known)}"
    )
