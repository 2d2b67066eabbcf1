"""Plants one fault into a running reference model."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.errors import ConfigError
from tracepact.faults.spec import FaultKind, FaultSpec
from tracepact.types import Array

ROW_SCALE: Final = 0.93
LOGIT_SCALE: Final = 100.0
SLOWDOWN: Final = 10.0
_SLOW_AT_LEAST_S: Final = 2e-3
_EXPONENT_BITS: Final = range(23, 31)


class FaultInjector:
    """Wraps the kernels of one brick.

    Args:
        spec: What to plant and where.
        model: The model that is hit.
        at_forward: Index of the forward pass in which the fault first acts; 0 is the prefill.
        seed: Chooses the element (and for a bit flip the bit).

    Attributes:
        description: What was done, once it was; None before.
    """

    def __init__(
        self, spec: FaultSpec, model: ReferenceModel, *, at_forward: int = 1, seed: int = 0
    ) -> None:
        self.spec = spec
        self.description: str | None = None
        self._model = model
        self._at_forward = at_forward
        self._forwards = -1
        self._random = np.random.default_rng(seed)
        self._cache: KvCache | None = None
        if spec.kind is FaultKind.BIT_FLIP:
            model.weight_of(spec.brick, spec.layer)  # refuses a brick without a weight

    def begin_forward(self) -> None:
        """Count the pass; a bit flips at the start of its pass."""
        self._forwards += 1
        if self.spec.kind is FaultKind.BIT_FLIP and self._forwards == self._at_forward:
            self._flip_bit()

    def wrap(
        self, brick: str, layer: int | None, kernel: Callable[..., Array]
    ) -> Callable[..., Array]:
        """The kernel to call instead: the same one unless this brick is hit now."""
        if brick != self.spec.brick or layer != self.spec.layer or not self._is_due():
            return kernel
        return partial(self._damaged, kernel)

    def _is_due(self) -> bool:
        if self.spec.kind is FaultKind.SLOW:
            return True
        if self.spec.kind is FaultKind.BIT_FLIP:
            return False
        return self.description is None and self._forwards >= self._at_forward

    def _damaged(self, kernel: Callable[..., Array], **inputs: Any) -> Array:
        start = time.perf_counter()
        ret = kernel(**inputs)
        match self.spec.kind:
            case FaultKind.NAN | FaultKind.INF as kind:
                value = np.nan if kind is FaultKind.NAN else np.inf
                index = tuple(int(self._random.integers(n)) for n in ret.shape)
                ret[index] = value
                self.description = f"set element {list(index)} to {value}"
            case FaultKind.ROW_SCALE:
                row = (
                    ret.reshape(-1, ret.shape[-1])[-1]
                    if ret.flags.c_contiguous
                    else ret[..., -1, :]
                )
                row *= ROW_SCALE
                self.description = f"scaled the last row by {ROW_SCALE}"
            case FaultKind.LOGIT_SCALE:
                ret *= LOGIT_SCALE
                self.description = f"scaled the logits by {LOGIT_SCALE:g}"
            case FaultKind.KV_OVERFLOW:
                self._write_past_capacity(kernel)
            case FaultKind.SLOW:
                self.description = slow_down(start)
        return ret

    def _write_past_capacity(self, kernel: Callable[..., Array]) -> None:
        cache = getattr(kernel, "__self__", None)
        if not isinstance(cache, KvCache) or self.spec.layer is None:
            raise ConfigError("kv-overflow needs a brick that writes a KvCache")
        cache.keys[self.spec.layer, 0, cache.capacity, 0] = 1.0
        self.description = f"wrote a key at position {cache.capacity} of {cache.capacity}"

    def _flip_bit(self) -> None:
        weight = self._model.weight_of(self.spec.brick, self.spec.layer).weight
        index = tuple(int(self._random.integers(n)) for n in weight.shape)
        bit = int(self._random.choice(_EXPONENT_BITS))
        before = float(weight[index])
        weight.view(np.uint32)[index] ^= np.uint32(1 << bit)
        self.description = (
            f"flipped bit {bit} of weight {list(index)}: {before:.6g} became {weight[index]:.6g}"
        )


def slow_down(start: float) -> str:
    """Make what began at `start`, a `time.perf_counter`, take ten times as long; says so."""
    elapsed = time.perf_counter() - start
    time.sleep(max(_SLOW_AT_LEAST_S, (SLOWDOWN - 1) * elapsed))
    return f"made it {SLOWDOWN:g} times slower"
