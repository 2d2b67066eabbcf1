"""Hands what hooks see to the model tracer; natively where that serves."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from tracepact.core import native_core
from tracepact.engines.torch.mapping import ATTENTION, MLP
from tracepact.model import ModelTracer
from tracepact.model.watching import NORM_TURNS, watch_bricks, watch_parts
from tracepact.types import BrickId

if TYPE_CHECKING:
    from tracepact.core import _native


PARTS: Final = MappingProxyType({ATTENTION: "post-attention", MLP: "post-ffn"})
"""Parts of a layer whose result is a point of MLT-01."""


_NORM: Final = "Norm"
"""What is looked at of a norm's result where it is not its layer's turn."""

_WITH_MORE: Final = frozenset({BrickId.LmHead})
"""Bricks of which the end of a pass wants more than their contract."""


class TorchProbe:
    """Every result goes through `run`, every end of a layer through `residual`.

    Attributes:
        tracing_ns: Time that the native half has spent.
    """

    hook: Callable[..., Callable[..., None]] | None = None
    """Makes a hook that goes straight to this probe; None where Python serves."""

    def __init__(self, tracer: ModelTracer) -> None:
        self.tracing_ns = 0
        self._tracer = tracer

    def begin(self, *, is_decoding: bool) -> None:
        """A pass starts; one that decodes may go through the native half."""

    def end(self) -> None:
        """It is over, or was broken off."""

    def take_head(self) -> tuple[Any, Any] | None:
        """What the head was given and gave out, where that went through the native half."""
        return None

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Any], /, **inputs: Any
    ) -> Any:
        """Check the result that `kernel` gives out, and what it was computed from."""
        ret = kernel()
        self._check(brick, layer, inputs, ret)
        return ret

    def residual(self, layer: int, point: str, value: Any) -> None:
        """The "input" or "output" of a layer."""
        self._tracer.record_activation(layer, point, value)

    def activation(self, layer: int | None, point: str, value: Any, brick: str) -> None:
        """Any other point of MLT-01, of a brick whose contract cannot be checked."""
        self._tracer.record_activation(layer, point, value, brick=brick)

    def _check(self, brick: str, layer: int | None, inputs: dict[str, Any], ret: Any) -> None:
        point = PARTS.get(brick)
        if point is None:
            self._tracer.record_brick(brick, layer, {**inputs, "ret": ret})
        else:
            self._tracer.record_activation(layer, point, ret, brick=brick)


def new_probe(tracer: ModelTracer) -> TorchProbe:
    """A probe of the core that serves."""
    if native_core() is None:
        return TorchProbe(tracer)
    from tracepact.core import _native as native  # noqa: PLC0415 - only where it was selected

    class NativeTorchProbe(native.Probe, TorchProbe):
        """A probe that checks the modules of a decoded token in C.

        Whatever does not hold for sure goes through the Python methods.
        """

        def __init__(self, tracer: ModelTracer) -> None:
            TorchProbe.__init__(self, tracer)
            self._head: tuple[Any, Any] | None = None
            watch_bricks(self, tracer, _WITH_MORE)
            self._turns = itertools.cycle(range(NORM_TURNS))
            watch_parts(self, tracer, PARTS)
            if tracer.config.bricks and tracer.config.activations:
                watch_parts(self, tracer, {_NORM: "post-norm"})
                for brick in (BrickId.RmsNorm, BrickId.LayerNorm):
                    self._take_turns(brick, _NORM, NORM_TURNS)
            self.hook = functools.partial(native.Hook, self)

        def begin(self, *, is_decoding: bool) -> None:
            self.end()
            tracer = self._tracer
            if is_decoding and tracer.config.activations:
                log = cast("_native.TraceLog", tracer.last.log)
                turn = next(self._turns)
                self._begin(tracer.layer.native_state, None, log, 0, None, None, turn)

        def end(self) -> None:
            counted = self._end()
            if counted is not None:
                conditions, tracing_ns = counted
                self.tracing_ns += tracing_ns
                self._tracer.add_counted(conditions, 0, tracing_ns)

        _settle = end

        def take_head(self) -> tuple[Any, Any] | None:
            for _, _, inputs, ret in self._later():
                self._head = inputs["x"], ret
            head, self._head = self._head, None
            return head

        def _trace(self, brick: str, layer: int | None, inputs: dict[str, Any], ret: Any) -> None:
            if brick == BrickId.LmHead:
                self._head = inputs["x"], ret
            self._check(brick, layer, inputs, ret)

        def _run(
            self, brick: str, layer: int | None, kernel: Callable[..., Any], /, **inputs: Any
        ) -> Any:
            return TorchProbe.run(self, brick, layer, kernel, **inputs)

        def _residual(self, layer: int, point: str, value: Any) -> None:
            TorchProbe.residual(self, layer, point, value)

        def _fault(self, error: Exception) -> None:
            self._tracer.layer.fault("tracing", error)

    return NativeTorchProbe(tracer)
