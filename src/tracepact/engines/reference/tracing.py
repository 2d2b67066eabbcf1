"""Connects the reference engine to the model tracer and the profiler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np

from tracepact.core import Stat, measure, native_core, row_reduce
from tracepact.enforce import unchecked
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
    from tracepact.engines.reference.injector import FaultInjector
    from tracepact.engines.reference.linear import Linear

SAMPLED_ROWS: Final = 4
"""Rows of one weight matrix a pass that MLT-04 holds against the file."""

SAMPLED_PASSES: Final = 16
"""Passes that stay with one matrix, whose rows are dequantised together: gguf costs by the call."""

ROUNDING_THRESHOLD: Final = 1e-4
"""Relative error of a float32 product against float64 that rounding explains."""

_rms_norm: Final = unchecked(rms_norm)

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
        self.nothing = np.zeros(layers, np.int64)
        self.turn = -1
        self.sampled: tuple[str, int] | None = None
        self.linear: Linear | None = None
        self.rows: tuple[tuple[str, int | None, int], int, Array] | None = None


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

    Where the native core serves, `TracingProbe(...)` makes a `NativeProbe`.
    """

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Pick the core."""
        if cls is TracingProbe and native_core() is not None:
            from tracepact.engines.reference.native_probe import (  # noqa: PLC0415 - imports us
                NativeProbe,
            )

            return cast(Self, NativeProbe.__new__(NativeProbe))
        return super().__new__(cls)

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
        moment = None
        if profiler is not None:
            tokens = 1 if brick == BrickId.Sampling else self._pass.tokens
            moment = profiler.stop(
                brick, layer, cost=lambda: brick_cost(brick, inputs, ret), tokens=tokens
            )
        start_ns = time.perf_counter_ns()
        tracer = self._tracer
        if tracer is not None and tracer.is_active:
            try:
                self._trace(brick, layer, inputs, ret)
            except Exception as error:
                self._fault(error)
        self._exclude(start_ns, moment)
        if brick == BrickId.Sampling and tracer is not None:
            tracer.report()  # it runs after its pass has been reported
        return ret

    _run = run

    def residual(self, layer: int, point: str, value: Array) -> None:
        """MLT-01 at the ends of a layer."""
        if self._tracer is None:
            return
        start_ns = time.perf_counter_ns()
        self._tracer.record_activation(layer, point, value)
        self._exclude(start_ns)

    _residual = residual

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
        written = self._look_back(cache)
        nonfinite = self._pass.nonfinite
        # Of few numbers NumPy takes ten times as long to add them up.
        found = sum(nonfinite.tolist()), sum(written.tolist())
        record = cache_record(cache.used, cache.capacity, cache.bytes, self._pass.position, *found)
        tracer.record_kv_cache(record, nonfinite=nonfinite, guard_writes=written)

    def _look_back(self, cache: KvCache) -> Array:
        """All that one layer holds, in turn; what this pass wrote was looked at in every layer.

        Returns:
            [layers] elements written past the capacity.
        """
        layer = self._pass.turn % self._model.config.layers
        native = native_core()
        if native is not None and native.held_is_clean(
            cache.keys, cache.values, layer, cache.used, cache.capacity
        ):
            return self._pass.nothing
        held = (store[layer, :, : cache.used] for store in (cache.keys, cache.values))
        count = sum(measure(values, Stat.COUNTS).nonfinite_count for values in held)
        self._pass.nonfinite[layer] = max(count, self._pass.nonfinite[layer])
        return _guard_writes(cache)

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
        brick: str,
        layer: int | None,
        inputs: dict[str, Any],
        ret: Array,
    ) -> None:
        """Hand a brick's fields to the tracer, and what only this engine knows of it."""
        tracer = self._tracer
        assert tracer is not None, "nothing is traced without a tracer"
        if brick == BrickId.LmHead:
            # First, so that logits out of bounds are named by their trace, then by their kernel.
            self._trace_logits(inputs, ret)
        stats = tracer.record_brick(brick, layer, {**inputs, "ret": ret})
        if brick == KV_CACHE_WRITE and layer is not None:
            stats = stats or measure(ret, Stat.COUNTS)
            self._pass.nonfinite[layer] += stats.nonfinite_count
        elif self._pass.sampled == (brick, layer):
            self._sample(brick, layer, inputs, ret)

    def _fault(self, error: Exception) -> None:
        """Count and log an error of ours; the model goes on."""
        if self._tracer is not None:
            self._tracer.layer.fault("tracing", error)

    def _trace_logits(self, inputs: dict[str, Any], ret: Array) -> None:
        tracer, sampler = self._tracer, self._sampler
        assert tracer is not None, "nothing is traced without a tracer"
        tracer.record_logits(
            ret[-1],
            row_norms=inputs["output_row_norms"],
            hidden_norm=float(row_reduce("row_norms", inputs["x"][-1])),
            lens=self._lens,
            temperature=sampler.temperature if sampler else 0.0,
            top_p=sampler.top_p if sampler else 1.0,
        )

    def _lens(self, hidden: Array, tokens: Array | None) -> Array:
        """Logits that residual streams [n, d] would give: final norm, then output matrix."""
        weights = self._model.weights
        x = _rms_norm(x=hidden, weight=weights.output_norm, eps=self._model.config.rms_eps)
        matrix = weights.output.weight
        logits: Array = x @ (matrix if tokens is None else matrix[tokens]).T
        return logits

    def _choose_sample(self) -> None:
        """One projection after the other, so that each is looked at again and again."""
        group, turn = divmod(self._pass.turn, SAMPLED_PASSES)
        if turn == 0:
            layer, brick = divmod(group, len(_PROJECTIONS))
            self._pass.sampled = _PROJECTIONS[brick], layer % self._model.config.layers
            self._pass.linear = self._model.weight_of(*self._pass.sampled)

    def _sample(
        self,
        brick: str,
        layer: int | None,
        inputs: dict[str, Any],
        ret: Array,
    ) -> None:
        """MLT-04: some outputs of a matmul against weights dequantised anew from the file."""
        tracer = self._tracer
        assert tracer is not None, "nothing is traced without a tracer"
        linear = self._model.weight_of(brick, layer)
        rows, weight = self._fresh_rows(brick, layer)
        tracer.record_quantised_product(
            linear.name,
            linear.type_names,
            weight,
            inputs["x"][-1],
            ret[-1, rows],
            bias=None if linear.bias is None else linear.bias[rows],
            threshold=ROUNDING_THRESHOLD,
            layer=layer,
            brick=brick,
        )

    def _fresh_rows(self, brick: str, layer: int | None) -> tuple[slice, Array]:
        """Some rows of a weight as the file has them, float32; others on every pass."""
        group, turn = divmod(self._pass.turn, SAMPLED_PASSES)
        if self._pass.rows is None or self._pass.rows[0] != (brick, layer, group):
            out = len(self._model.weight_of(brick, layer).weight)
            count = min(SAMPLED_PASSES * SAMPLED_ROWS, out)
            first = int(self._random.integers(out - count + 1))  # neighbours share the file's pages
            rows = np.arange(first, first + count)
            weight = self._model.dequantise_rows(brick, layer, rows)
            self._pass.rows = (brick, layer, group), first, weight
        _, first, weight = self._pass.rows
        start = turn * len(weight) // SAMPLED_PASSES
        stop = max(start + 1, (turn + 1) * len(weight) // SAMPLED_PASSES)
        return slice(first + start, first + stop), weight[start:stop]

    def _exclude(self, start_ns: int, moment: int | None = None) -> None:
        """Take what has passed since out of the profile; `moment` is the profiler's own clock."""
        elapsed_ns = time.perf_counter_ns() - start_ns
        self.tracing_ns += elapsed_ns
        if self._profiler is None:
            return
        if moment is None:
            self._profiler.exclude(elapsed_ns)
        else:
            self._profiler.exclude_since(moment)


def cache_record(
    used: int, capacity: int, size: int, position: int, nonfinite: int = 0, guard_writes: int = 0
) -> KvCacheRecord:
    """The record of a cache of `size` bytes after a pass whose first token is at `position`."""
    return KvCacheRecord(
        used=used,
        capacity=capacity,
        bytes_used=size * used // (capacity + GUARD_POSITIONS),
        bytes_total=size,
        evictions=0,
        hit_rate=position / used if used else 0.0,
        oldest_position=0,
        fragmentation=0.0,
        nonfinite=nonfinite,
        guard_writes=guard_writes,
    )


def _guard_writes(cache: KvCache) -> Array:
    """Elements of each layer, [layers], that are not zero past the capacity."""
    written = np.zeros(len(cache.keys), np.int64)
    for store in (cache.keys, cache.values):
        guard = store[:, :, cache.capacity :]
        stats = measure(guard, Stat.RANGE)
        if not stats.lowest == stats.highest == 0:
            written += np.count_nonzero(guard, axis=(1, 2, 3))
    return written
