"""The probe whose hot half is in C; import it only where the native core serves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tracepact.core import _native
from tracepact.engines.reference.costs import repeated_cost
from tracepact.engines.reference.decoded_token import DecodedToken
from tracepact.engines.reference.tracing import ROUNDING_THRESHOLD, TracingProbe
from tracepact.model.watching import watch_bricks, watch_pass_end
from tracepact.profiling import BrickCost, GrowingCost
from tracepact.types import Array, BrickId

if TYPE_CHECKING:
    from tracepact.engines.reference.kv_cache import KvCache
    from tracepact.model import ModelTracer

_WITH_MORE = frozenset({BrickId.LmHead})
"""Bricks of which a trace wants more than their contract."""

_Later: TypeAlias = tuple[str, int | None, dict[str, Any], Any]
"""Brick, layer, inputs and result of which Python wants more than its contract."""


class NativeProbe(_native.Probe, TracingProbe):
    """A `TracingProbe` that runs, times and checks the bricks of a decoded token in C.

    Prompts, planted faults and threads that run a pass at the same time as another go through
    Python, and so does every brick that does not hold.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        TracingProbe.__init__(self, *arguments, **options)
        watch_bricks(self, self._tracer, _WITH_MORE)
        tracer = self._tracer
        self._end_of_pass = None if tracer is None else watch_pass_end(tracer, ROUNDING_THRESHOLD)

    def begin_forward(self, position: int, tokens: int) -> None:
        """Start a pass, in C if it can be."""
        self._settle()  # a pass that was broken off
        TracingProbe.begin_forward(self, position, tokens)
        profiler = self._profiler
        is_timed = isinstance(profiler, _native.BrickTimer)
        if tokens != 1 or self._injector is not None or not (is_timed or profiler is None):
            return
        timer = cast("_native.BrickTimer | None", profiler)
        tracer = self._tracer
        if tracer is not None and tracer.is_active:
            if tracer.config.activations:
                log = cast("_native.TraceLog", tracer.last.log)
                brick, layer = self._pass.sampled or (None, None)
                state = tracer.layer.native_state
                self._begin(state, timer, log, position + 1, brick, layer, -1)
        else:
            self._begin(None, timer, None, position + 1, None, None, -1)

    def end_forward(self) -> None:
        """End the pass; raises ContractViolation under the policy `raise`."""
        self._settle()
        TracingProbe.end_forward(self)

    def _settle(self) -> None:
        """End what the C half serves, which also does so where a kernel raises."""
        counted = self._end()
        if counted is not None:
            conditions, tracing_ns = counted
            self.tracing_ns += tracing_ns
            if self._tracer is not None:
                self._tracer.add_counted(conditions, 0, tracing_ns)

    def kv_cache(self, cache: KvCache) -> None:
        """MLT-05; before it what was put off until now."""
        tracer = self._tracer
        if tracer is None or not tracer.is_active:
            return
        start_ns = time.perf_counter_ns()
        later = self._later()
        is_held = False
        try:
            is_held = self._pass.tokens == 1 and self._hold(tracer, later, cache)
        except Exception as error:
            self._fault(error)
        if not is_held:
            self._catch_up(later)
        self._exclude(start_ns)
        if not is_held:
            TracingProbe.kv_cache(self, cache)

    def _hold(self, tracer: ModelTracer, later: list[_Later], cache: KvCache) -> bool:
        """MLT-03 to MLT-05 in one call, where all of them hold; else nothing has happened."""
        state, config = self._pass, tracer.config
        linear = state.linear if config.quantisation else None
        if self._end_of_pass is None or (linear is not None and linear.bias is not None):
            return False
        end, tests = self._end_of_pass
        rows: tuple[Array, int] | None = None
        if linear is not None and state.sampled is not None:
            chosen, weight = self._fresh_rows(*state.sampled)
            rows = weight, chosen.start
        held: tuple[Any, ...] | None = None
        size: tuple[int, int, int] | None = None
        if config.kv_cache:
            layer = state.turn % self._model.config.layers
            size = used, capacity, _ = cache.used, cache.capacity, cache.bytes
            held = (
                cache.keys, cache.values, layer, used, capacity, state.nonfinite, state.nothing,
            )  # fmt: skip
        found = end.look(later, rows, held)
        if found is None:
            return False
        last = tracer.last
        last.held = DecodedToken(
            tests, last.position, last.log, found, size, state.sampled, linear, self._model,
            self._sampler, self._lens, config.full_ranks,
        )  # fmt: skip
        return True

    def _trace(self, brick: str, layer: int | None, inputs: dict[str, Any], ret: Array) -> None:
        self._catch_up(self._later())  # violations are listed in order of execution
        TracingProbe._trace(self, brick, layer, inputs, ret)

    def _residual(self, layer: int, point: str, value: Array) -> None:
        self._catch_up(self._later())
        TracingProbe.residual(self, layer, point, value)

    def _catch_up(self, later: list[_Later]) -> None:
        """What Python wants of bricks that hold; after their contract, which is in the log."""
        for brick, layer, inputs, ret in later:
            try:
                if brick == BrickId.LmHead:
                    self._trace_logits(inputs, ret)
                else:
                    self._sample(brick, layer, inputs, ret)
            except Exception as error:
                self._fault(error)

    def _cost(
        self, brick: str, layer: int | None, inputs: dict[str, Any], ret: Array
    ) -> BrickCost | GrowingCost:
        return repeated_cost(brick, inputs, ret)
