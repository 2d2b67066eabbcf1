"""Plants one fault into a running llama.cpp, from outside: in the callback, before the check."""

from __future__ import annotations

import ctypes
import time
from typing import Any, Final

import numpy as np

from tracepact.engines.llamacpp.library import Library
from tracepact.engines.llamacpp.nodes import node_of
from tracepact.engines.llamacpp.tensors import Reader, Tensor
from tracepact.engines.llamacpp.watcher import SIGNATURE, Callback
from tracepact.engines.reference.injector import LOGIT_SCALE, ROW_SCALE, slow_down
from tracepact.errors import ConfigError
from tracepact.faults.spec import FaultKind, FaultSpec
from tracepact.model.bricks import KV_CACHE_WRITE

_ELSEWHERE: Final = {
    FaultKind.BIT_FLIP: "needs weights that can be written, and llama.cpp maps its file"
}
"""Kinds that would not be found here, and why."""


class LlamaInjector:
    """Hits the node that is one brick of one layer.

    Args:
        spec: What to plant and where.
        library: Whose contexts it hits.
        layers: How many the model has.
        at_forward: Index of the forward pass in which the fault first acts; 0 is the prompt's.
        seed: Chooses the element.

    Attributes:
        description: What was done, once it was; None before.

    Raises:
        ConfigError: The kind is none of this engine's.
    """

    def __init__(
        self, spec: FaultSpec, library: Library, layers: int, *, at_forward: int = 1, seed: int = 0
    ) -> None:
        if spec.kind in _ELSEWHERE:
            raise ConfigError(f"{spec.kind} {_ELSEWHERE[spec.kind]}; use --engine reference")
        self.spec = spec
        self.description: str | None = None
        self._reader = Reader(library)
        self._layers = layers
        self._at_forward = at_forward
        self._forwards = -1
        self._random = np.random.default_rng(seed)
        self._wants_it = self._is_hit = False
        self._start = 0.0
        self._keep: Any = None

    def before(self, inner: Callback) -> int:
        """Address of a callback that hits, and then does what `inner` does."""
        then = SIGNATURE(inner.address)

        def call(address: int, ask: bool, user_data: int) -> bool:
            if ask:
                self._wants_it = bool(then(address, True, user_data))
                self._is_hit = self._is_due() and self._is_target(address)
                self._start = time.perf_counter()
                return self._wants_it or self._is_hit
            if self._is_hit:
                self._hit(Tensor(self._reader, address))
            return bool(then(address, False, user_data)) if self._wants_it else True

        self._keep = SIGNATURE(call), then
        return ctypes.cast(self._keep[0], ctypes.c_void_p).value or 0

    def begin_forward(self) -> None:
        """Count a pass."""
        self._forwards += 1

    def _is_due(self) -> bool:
        if self.spec.kind is FaultKind.SLOW:
            return True
        return self.description is None and self._forwards >= self._at_forward

    def _is_target(self, address: int) -> bool:
        tensor = Tensor(self._reader, address)
        if self.spec.brick == KV_CACHE_WRITE:
            return tensor.name.startswith(f"cache_k_l{self.spec.layer} (view)") and (
                tensor.operation in ("SET_ROWS", "CPY")
            )
        node = node_of(tensor, self._layers)
        return node is not None and (node.brick, node.layer) == (self.spec.brick, self.spec.layer)

    def _hit(self, tensor: Tensor) -> None:
        value = tensor.array()
        if value is None:
            return
        match self.spec.kind:
            case FaultKind.NAN | FaultKind.INF as kind:
                number = np.nan if kind is FaultKind.NAN else np.inf
                index = tuple(int(self._random.integers(n)) for n in value.shape)
                value[index] = number
                self.description = f"set element {list(index)} of {tensor.name} to {number}"
            case FaultKind.ROW_SCALE:
                value[..., -1, :] *= ROW_SCALE
                self.description = f"scaled the last row of {tensor.name} by {ROW_SCALE}"
            case FaultKind.LOGIT_SCALE:
                value *= LOGIT_SCALE
                self.description = f"scaled the logits by {LOGIT_SCALE:g}"
            case FaultKind.KV_OVERFLOW:
                self._overwrite(tensor)
            case FaultKind.SLOW:
                self.description = slow_down(self._start)

    def _overwrite(self, tensor: Tensor) -> None:
        """The first key of the cache, which an earlier pass has written."""
        whole = tensor if tensor.operation == "SET_ROWS" else tensor.viewed
        cells = None if whole is None else whole.array()
        if cells is not None:
            cells[(0,) * cells.ndim] += 1
            self.description = "wrote over the key at position 0"
