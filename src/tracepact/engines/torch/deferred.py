"""Models on an accelerator: what a pass leaves behind is looked at when the next one ends.

A check that waited for the device would cost more than the model. So hooks only hand tensors to a
kernel that measures them, and copy a few small ones; a pass later the figures are on the host and
go the same way as all others, as of the pass that they come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from tracepact.core import TensorStats
from tracepact.engines.torch.device_statistics import DeviceStatistics, Measured
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.kv_cache import CacheTrace, layers_of
from tracepact.engines.torch.logits import LogitTrace
from tracepact.engines.torch.probe import PARTS, TorchProbe
from tracepact.model import KvCacheRecord, ModelTracer
from tracepact.model.bricks import ACTIVATION_POINTS
from tracepact.model.pass_state import Coming
from tracepact.types import BrickId

NOTE: Final = "on a device: newest row of one layer a pass, a pass later"


@dataclass(frozen=True, slots=True)
class _Point:
    """A tensor of MLT-01, and the number of what was handed in before it."""

    order: int
    layer: int | None
    point: str
    brick: str | None


@dataclass(frozen=True, slots=True)
class _Rows:
    order: int
    layer: int


@dataclass(frozen=True, slots=True)
class _Written:
    """What a pass has written into one layer of the cache."""

    layer: int


@dataclass(frozen=True, slots=True)
class _Logits:
    """One of the two rows that MLT-03 wants of a sequence."""

    sequence: int | None
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    """A pass that has ended and was not looked at yet."""

    coming: Coming
    measured: Measured
    cache: KvCacheRecord | None
    layers: int


class DeferredProbe(TorchProbe):
    """Collects what hooks see, and hands it to the tracer one pass later.

    Args:
        tracer: Takes the traces.
        statistics: Measures tensors where they are.
        layers: Of the model, whose attention takes turns.
    """

    def __init__(self, tracer: ModelTracer, statistics: DeviceStatistics, layers: int) -> None:
        super().__init__(tracer)
        self._statistics = statistics
        self._layers = max(1, layers)
        self._passes = 0
        self._order = 0
        self._ended: deque[_Ended] = deque()

    def begin(self, *, is_decoding: bool) -> None:
        """A pass starts; what a broken one left is dropped."""
        self._statistics.drop_pass()
        self._passes += 1
        self._order = 0

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Any], /, **inputs: Any
    ) -> Any:
        """Measure the result, where it is a point of MLT-01; rows where it is the layer's turn."""
        ret = kernel()
        config = self._tracer.config
        if brick == BrickId.AttentionSoftmax:
            if config.attention and layer is not None and self._passes % self._layers == layer:
                self._statistics.copy(_Rows(self._next(), layer), ret[..., -1:, :])
            return ret
        point = PARTS.get(brick)
        if point is None and brick in BrickId.__members__:
            point = ACTIVATION_POINTS.get(BrickId(brick))
        if point is not None:
            self.activation(layer, point, ret, brick)
        return ret

    def residual(self, layer: int, point: str, value: Any) -> None:
        """The "input" or "output" of a layer."""
        self.activation(layer, point, value, None)

    def activation(self, layer: int | None, point: str, value: Any, brick: str | None) -> None:
        """Any point of MLT-01."""
        if self._tracer.config.activations:
            self._statistics.add(_Point(self._next(), layer, point, brick), value)

    def finish(
        self, forward: ForwardPass, logits: LogitTrace | None, caches: CacheTrace, cache: Any
    ) -> None:
        """The pass is over: everything is on its way, and waits for the next one to end."""
        statistics, tracer = self._statistics, self._tracer
        for sequence, x, ret in logits.newest(forward) if logits is not None else ():
            statistics.copy(_Logits(sequence, True), x)
            statistics.copy(_Logits(sequence, False), ret)
        held = layers_of(cache) if tracer.config.kv_cache else []
        record = caches.record_of(forward, held) if held else None
        if held:
            layer = self._passes % len(held)
            stop = min(held[layer].used, held[layer].keys.shape[2])
            start = max(0, stop - forward.tokens)
            for tensor in (held[layer].keys, held[layer].values):
                statistics.add(_Written(layer), tensor[:, :, start:stop])
        ended = _Ended(tracer.put_off(), statistics.end_pass(), record, len(held))
        self._ended.append(ended)

    def settle(self, logits: LogitTrace | None, *, keep: int) -> None:
        """Look at passes that have ended, but for the newest `keep` of them.

        Raises:
            ContractViolation: Something does not hold and the policy is `raise`.
        """
        while len(self._ended) > keep:
            ended, tracer = self._ended.popleft(), self._tracer
            tracer.resume(ended.coming)
            try:
                self._record(ended, logits)
            except Exception as error:
                tracer.layer.fault("what a device has measured", error)
            tracer.end_forward()

    def _next(self) -> int:
        self._order += 1
        return self._order

    def _record(self, ended: _Ended, logits: LogitTrace | None) -> None:
        tracer = self._tracer
        ended.measured.wait()
        found: list[tuple[Any, Any]] = [*ended.measured.statistics(), *ended.measured.copies]
        in_order = [each for each in found if isinstance(each[0], _Point | _Rows)]
        for tag, value in sorted(in_order, key=lambda each: each[0].order):
            if isinstance(tag, _Rows):
                tracer.record_attention(tag.layer, value)
            else:
                tracer.record_activation(tag.layer, tag.point, None, brick=tag.brick, stats=value)
        hidden: dict[int | None, torch.Tensor] = {}
        for tag, value in ended.measured.copies:
            if isinstance(tag, _Logits) and tag.is_hidden:
                hidden[tag.sequence] = value
            elif isinstance(tag, _Logits) and logits is not None:
                logits.record(tracer, tag.sequence, hidden[tag.sequence], value)
        if ended.cache is not None:
            nonfinite, nothing = (np.zeros(ended.layers, np.int64) for _ in range(2))
            for tag, stats in found:
                if isinstance(tag, _Written) and isinstance(stats, TensorStats):
                    nonfinite[tag.layer] += stats.nonfinite_count
            tracer.record_kv_cache(ended.cache, nonfinite=nonfinite, guard_writes=nothing)
