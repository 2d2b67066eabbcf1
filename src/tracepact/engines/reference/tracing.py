"""Connects the reference engine to the model tracer and the profiler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracepact.core import Stat, measure
from tracepact.engines.reference.costs import brick_cost
from tracepact.engines.reference.kernels import rms_norm
from tracepact.engines.reference.kv_cache import GUARD_POSITIONS, KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.model import KvCacheRecord, ModelTracer
from tracepact.model.bricks import KV_CACHE_WRITE
from tracepact.profiling import BrickProfiler
from tracepact.types import Array, BrickId

if TYPE_CHECKING:
    from tracepact.faults.injector import FaultInjector

SAMPLED_ROWS: Final = 16
"""Rows of one weight matrix a pass that MLT-04 dequantises anew from the file."""

ROUNDING_THRESHOLD: Final = 1e-4
"""Relative error of a float32 product against float64 that rounding explains."""

_PROJECTIONS: Final = (
    BrickId.QkvProjection,
    BrickId.OutputProjection,
    BrickId.GateProjection,
    BrickId.UpProjection,
    BrickId.DownProjection,
)


class _Pass(threading.local):
    """The forward pass of one thread."""

    def __init__(self, layers: int) -> None:
        self.tokens = 0
        self.position = 0
        self.nonfinite = np.zeros(layers, np.int64)
        self.turn = -1
        self.sampled: tuple[str, int] | None = None


class TracingProbe:
    """Times every brick, then hands its fields to the tracer.

    Args:
        model: The model that is watched.
        tracer: Takes the traces; None to profile only.
        profiler: Takes the times; None to trace only.
        injector: Plants a fault.
        sampler: Settings that MLT-03 records.

    Attributes:
        tracing_ns: Time spent on tracing; the profiler leaves it out.
    """

    def __init__(
        self,
        model: ReferenceModel,
        tracer: ModelTracer | None = None,
        profiler: BrickProfiler | None = None,
        injector: FaultInjector | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self.tracing_ns = 0
        self._model = model
        self._tracer = tracer
        self._profiler = profiler
        self._injector = injector
        self._sampler = sampler
        self._pass = _Pass(model.config.layers)
        self._random = np.random.default_rng(0)

    def begin_forward(self, position: int, tokens: int) -> None:
        """Start a pass."""
        self._pass.tokens, self._pass.position = tokens, position
        self._pass.nonfinite.fill(0)
        self._pass.turn += 1
        if self._injector is not None:
            self._injector.begin_forward()
        if self._tracer is not None:
            self._tracer.begin_forward(position)
            self._choose_sample()
        if self._profiler is not None:
            self._profiler.begin_forward()

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        """Time the kernel, then check its inputs and result."""
        if self._injector is not None:
            kernel = self._injector.wrap(brick, layer, kernel)
        profiler = self._profiler
        if profiler is not None:
            profiler.start(brick, layer)
        ret = kernel(**inputs)
        if profiler is None:
            start_ns = time.perf_counter_ns()
        else:
            tokens = 1 if brick == BrickId.Sampling else self._pass.tokens
            start_ns = profiler.stop(
                brick, layer, cost=lambda: brick_cost(brick, inputs, ret), tokens=tokens
            )
        tracer = self._tracer
        if tracer is not None and tracer.is_active:
            try:
                self._trace(tracer, brick, layer, inputs, ret)
            except Exception as error:
                tracer.layer.fault(f"tracing of {brick}", error)
        self._exclude(start_ns)
        if brick == BrickId.Sampling and tracer is not None:
            tracer.report()  # it runs after its pass has been reported
        return ret

    def residual(self, layer: int, point: str, value: Array) -> None:
        """MLT-01 at the ends of a layer."""
        if self._tracer is None:
            return
        start_ns = time.perf_counter_ns()
        self._tracer.record_activation(layer, point, value)
        self._exclude(start_ns)

    def kv_cache(self, cache: KvCache) -> None:
        """MLT-05."""
        tracer = self._tracer
        if tracer is None or not tracer.is_active:
            return
        start_ns = time.perf_counter_ns()
        try:
            self._trace_cache(tracer, cache)
        except Exception as error:
            tracer.layer.fault("tracing of the KV cache", error)
        self._exclude(start_ns)

    def _trace_cache(self, tracer: ModelTracer, cache: KvCache) -> None:
        positions = cache.capacity + GUARD_POSITIONS
        self._look_back(cache)
        guard = slice(cache.capacity, None)
        written = np.count_nonzero(cache.keys[:, :, guard], axis=(1, 2, 3))
        written += np.count_nonzero(cache.values[:, :, guard], axis=(1, 2, 3))
        record = KvCacheRecord(
            used=cache.used,
            capacity=cache.capacity,
            bytes_used=cache.bytes * cache.used // positions,
            bytes_total=cache.bytes,
            evictions=0,
            hit_rate=self._pass.position / cache.used if cache.used else 0.0,
            oldest_position=0,
            fragmentation=0.0,
            nonfinite=int(self._pass.nonfinite.sum()),
            guard_writes=int(written.sum()),
        )
        tracer.record_kv_cache(record, nonfinite=self._pass.nonfinite, guard_writes=written)

    def _look_back(self, cache: KvCache) -> None:
        """All that one layer holds, in turn; what this pass wrote was looked at in every layer."""
        layer = self._pass.turn % self._model.config.layers
        held = (store[layer, :, : cache.used] for store in (cache.keys, cache.values))
        count = sum(measure(values, Stat.COUNTS).nonfinite_count for values in held)
        self._pass.nonfinite[layer] = max(count, self._pass.nonfinite[layer])

    def end_forward(self) -> None:
        """End the pass; raises ContractViolation under the policy `raise`."""
        if self._profiler is not None:
            self._profiler.end_forward()
        if self._tracer is not None:
            start_ns = time.perf_counter_ns()
            try:
                self._tracer.end_forward()
            finally:
                self._exclude(start_ns)

    # -- what a brick adds to the traces -----------------------------------------------------

    def _trace(
        self,
        tracer: ModelTracer,
        brick: str,
        layer: int | None,
        inputs: dict[str, Any],
        ret: Array,
    ) -> None:
        fields = {**inputs, "ret": ret}
        if brick == BrickId.AttentionOutput:
            values = inputs["values"]
            fields |= {"value_min": values.min(), "value_max": values.max()}
        elif brick == BrickId.LmHead:
            # First, so that logits out of bounds are named by their trace, then by their kernel.
            self._trace_logits(tracer, inputs, ret)
        stats = tracer.record_brick(brick, layer, fields)
        if brick == KV_CACHE_WRITE and layer is not None:
            stats = stats or measure(ret, Stat.COUNTS)
            self._pass.nonfinite[layer] += stats.nonfinite_count
        elif self._pass.sampled == (brick, layer):
            self._trace_weight(tracer, brick, layer, inputs, ret)

    def _trace_logits(self, tracer: ModelTracer, inputs: dict[str, Any], ret: Array) -> None:
        norm = float(np.linalg.norm(inputs["x"][-1].astype(np.float64)))
        sampler = self._sampler
        tracer.record_logits(
            ret[-1],
            bound=inputs["output_row_norms"] * norm,
            lens=self._lens,
            temperature=sampler.temperature if sampler else 0.0,
            top_p=sampler.top_p if sampler else 1.0,
        )

    def _lens(self, hidden: Array, tokens: Array | None) -> Array:
        """Logits that residual streams [n, d] would give: final norm, then output matrix."""
        weights = self._model.weights
        x = rms_norm(x=hidden, weight=weights.output_norm, eps=self._model.config.rms_eps)
        matrix = weights.output.weight
        logits: Array = x @ (matrix if tokens is None else matrix[tokens]).T
        return logits

    def _choose_sample(self) -> None:
        """One projection a pass, in turn, so that each is looked at again and again."""
        layer, brick = divmod(self._pass.turn, len(_PROJECTIONS))
        self._pass.sampled = _PROJECTIONS[brick], layer % self._model.config.layers

    def _trace_weight(
        self,
        tracer: ModelTracer,
        brick: str,
        layer: int | None,
        inputs: dict[str, Any],
        ret: Array,
    ) -> None:
        """MLT-04: some outputs of a matmul against weights dequantised anew from the file."""
        linear = self._model.weight_of(brick, layer)
        out = linear.weight.shape[0]
        rows = np.sort(self._random.choice(out, size=min(SAMPLED_ROWS, out), replace=False))
        weight = self._model.dequantise_rows(brick, layer, rows).astype(np.float64)
        reference = inputs["x"][-1].astype(np.float64) @ weight.T
        if linear.bias is not None:
            reference += linear.bias[rows]
        tracer.record_quantisation(
            "+".join(source.name for source in linear.sources),
            "+".join(dict.fromkeys(source.type.name for source in linear.sources)),
            reference,
            ret[-1, rows],
            threshold=ROUNDING_THRESHOLD,
            layer=layer,
            brick=brick,
        )

    def _exclude(self, start_ns: int) -> None:
        elapsed_ns = time.perf_counter_ns() - start_ns
        self.tracing_ns += elapsed_ns
        if self._profiler is not None:
            self._profiler.exclude(elapsed_ns)
