"""Times of bricks, collected while a model runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from tracepact.core.select import selected_core
from tracepact.errors import ConfigError
from tracepact.profiling.budget import BrickCost, GrowingCost
from tracepact.profiling.samples import CallSamples

if TYPE_CHECKING:
    from tracepact.tracing import ContractTracingLayer


class SyncMode(StrEnum):
    """When the profiler waits for a device. Without one (`synchronize=None`) all are the same.

    The more often it waits, the truer the times of single bricks and the slower the run.
    """

    IMMEDIATE = "immediate"
    """After each brick: true times of bricks."""
    PER_LAYER = "per-layer"
    """When the layer changes: true times of layers; the wait is charged to a layer's last brick."""
    DEFERRED = "deferred"
    """Once a forward pass: true times of passes; a brick's time is that of launching it."""
    NONE = "none"
    """Never."""


class Phase(StrEnum):
    """What a forward pass works on."""

    DECODE = "decode"
    """One token."""
    PREFILL = "prefill"
    """Several tokens of a prompt."""


BrickKey: TypeAlias = tuple[int | None, str]
"""Layer and brick, what calls are counted by."""


CallCost: TypeAlias = BrickCost | GrowingCost
"""What a producer may say of a call."""


class Passes:
    """Totals over the forward passes of one phase."""

    __slots__ = ("count", "wall_ns")

    def __init__(self, count: int = 0, wall_ns: int = 0) -> None:
        self.count = count
        self.wall_ns = wall_ns


class _Call:
    """One call of a brick, from its start until it is counted."""

    __slots__ = ("brick", "cost", "elapsed_ns", "layer", "nested_ns", "started", "tokens")

    def __init__(self, brick: str, layer: int | None) -> None:
        self.brick = brick
        self.layer = layer
        self.nested_ns = 0
        self.started: int
        self.elapsed_ns: int
        self.cost: BrickCost | None
        self.tokens: int


class _Thread:
    """What one thread is doing; each thread runs its own passes and nests its own bricks."""

    __slots__ = ("calls", "excluded_ns", "open", "outside", "pass_started")

    def __init__(self) -> None:
        self.open: list[_Call] = []
        self.outside = 0  # how many of them were open before the pass began
        self.calls: list[_Call] = []
        self.pass_started: int | None = None
        self.excluded_ns = 0


class _CurrentThread(threading.local):
    def __init__(self) -> None:
        self.state = _Thread()


class BrickProfiler:
    """Times bricks: `start` and `stop` around each, `begin_forward`/`end_forward` around a pass.

    `start` and `stop` only note times; they are counted when the pass ends. Any string names a
    brick. Bricks may nest: a brick's own time is what no brick inside it took, and only that counts
    towards coverage. Bricks outside a pass are counted too, but cover nothing.

    Every thread has its own pass; figures of all threads add up.

    Where the native core serves, `BrickProfiler(...)` makes a `NativeBrickProfiler`, in which a
    start and a stop take a tenth of the time; not so with `synchronize`, beside which that does
    not matter, nor for subclasses.

    Args:
        layer: the tracing layer that findings about this profile go to.
        sync: when to wait for the device.
        clock: nanoseconds, monotonic, below 2**63; natively the default stands for the fastest
            clock that there is, and any other one costs a call into Python.
        synchronize: waits until the device is idle; None if there is nothing to wait for.

    Attributes:
        times_are_true: whether a brick's time is that of its work and not of launching it.
    """

    def __new__(
        cls,
        layer: ContractTracingLayer | None = None,
        *,
        sync: SyncMode = SyncMode.DEFERRED,
        clock: Callable[[], int] = time.perf_counter_ns,
        synchronize: Callable[[], None] | None = None,
    ) -> Self:
        """Pick the core."""
        if cls is BrickProfiler and synchronize is None and selected_core().name == "native":
            from tracepact.profiling.native_profiler import (  # noqa: PLC0415 - it imports us
                NativeBrickProfiler,
            )

            return cast(Self, NativeBrickProfiler.__new__(NativeBrickProfiler))
        return super().__new__(cls)

    def __init__(
        self,
        layer: ContractTracingLayer | None = None,
        *,
        sync: SyncMode = SyncMode.DEFERRED,
        clock: Callable[[], int] = time.perf_counter_ns,
        synchronize: Callable[[], None] | None = None,
    ) -> None:
        self.layer = layer
        self.sync = sync
        self._samples: dict[Phase, dict[BrickKey, CallSamples]] = {phase: {} for phase in Phase}
        self._passes = {phase: Passes() for phase in Phase}
        self._clock = clock
        self._synchronize = synchronize or _do_nothing
        self._after_brick = synchronize is not None and sync is SyncMode.IMMEDIATE
        self._after_layer = synchronize is not None and sync is SyncMode.PER_LAYER
        self._after_pass = synchronize is not None and sync is not SyncMode.NONE
        self.times_are_true = synchronize is None or self._after_brick or self._after_layer
        self._current = _CurrentThread()
        self._lock = threading.Lock()

    @property
    def samples(self) -> dict[Phase, dict[BrickKey, CallSamples]]:
        """Calls by phase, then by layer and brick, as of now; to be read when a run is over.

        Natively each look copies the figures of every brick.
        """
        return self._samples

    @property
    def passes(self) -> dict[Phase, Passes]:
        """Forward passes by phase, as of now."""
        return self._passes

    def start(self, brick: str, layer: int | None = None) -> None:
        """Note that `brick` of `layer` starts now."""
        thread = self._current.state
        if self._after_layer:
            self._finish_layer(thread, layer)
        call = _Call(brick, layer)
        thread.open.append(call)
        call.started = self._clock() - thread.excluded_ns

    def stop(
        self,
        brick: str,
        layer: int | None = None,
        *,
        cost: CallCost | Callable[[], CallCost | None] | None = None,
        tokens: int = 1,
        size: int = 0,
    ) -> int:
        """Note that `brick` of `layer` ends now; bricks left open inside it are dropped.

        Args:
            brick: the name that it was started under.
            layer: the layer that it was started under.
            cost: what this call did, or a function that says so, called after the clock was
                read; None if unknown, and then it has no budget. Cheapest is to hand in the same
                object again and again, which a `GrowingCost` allows for calls of any size.
            tokens: tokens that it worked on; a pass with a brick of several is a prefill.
            size: of this call, for a `GrowingCost`.

        Returns:
            The moment at which it ended; what a tracer does from there on is to be excluded, by
            `exclude_since`.

        Raises:
            ConfigError: it was not started in this thread.
        """
        if self._after_brick:
            self._synchronize()
        now = self._clock()
        thread = self._current.state
        call = thread.open.pop() if thread.open else None
        if call is None or call.brick != brick or call.layer != layer:
            call = _unwind(thread.open, call, brick, layer)
        call.elapsed_ns = now - thread.excluded_ns - call.started
        known = cost() if callable(cost) else cost
        call.cost = known.at(size) if isinstance(known, GrowingCost) else known
        call.tokens = tokens
        thread.calls.append(call)
        if thread.open:
            thread.open[-1].nested_ns += call.elapsed_ns
        elif thread.pass_started is None:
            self._count(thread)
        return now

    def now(self) -> int:
        """This moment, for `exclude_since`: in nanoseconds of `clock`, natively in its ticks."""
        return self._clock()

    def exclude(self, elapsed_ns: int) -> None:
        """Take time that this thread spent on tracing, not on the model, out of every figure."""
        self._current.state.excluded_ns += elapsed_ns

    def exclude_since(self, moment: int) -> int:
        """Exclude what has passed since a moment that `stop` or `now` gave.

        Returns:
            Nanoseconds that were excluded.
        """
        elapsed_ns = self._clock() - moment
        self.exclude(elapsed_ns)
        return elapsed_ns

    def begin_forward(self) -> None:
        """Start the wall clock of a pass; what an aborted pass left behind is dropped."""
        thread = self._current.state
        if thread.pass_started is not None:
            del thread.open[thread.outside :]
            thread.calls.clear()
        thread.outside = len(thread.open)
        thread.pass_started = self._clock() - thread.excluded_ns

    def end_forward(self) -> None:
        """Stop the wall clock and count the pass.

        Raises:
            ConfigError: no pass was begun in this thread.
        """
        thread = self._current.state
        started = thread.pass_started
        if started is None:
            raise ConfigError("end_forward() without begin_forward() in this thread")
        if self._after_layer:
            self._charge_wait(thread)
        elif self._after_pass:
            self._synchronize()
        wall_ns = self._clock() - thread.excluded_ns - started
        del thread.open[thread.outside :]
        thread.pass_started = None
        self._count(thread, wall_ns)

    def _count(self, thread: _Thread, wall_ns: int | None = None) -> None:
        """Move this thread's calls into the totals; `wall_ns` is None outside a pass."""
        several = any(call.tokens > 1 for call in thread.calls)
        phase = Phase.PREFILL if several else Phase.DECODE
        with self._lock:
            if wall_ns is not None:
                passes = self._passes[phase]
                passes.count += 1
                passes.wall_ns += wall_ns
            counted = self._samples[phase]
            for call in thread.calls:
                key = call.layer, str(call.brick)
                samples = counted.get(key)
                if samples is None:
                    samples = counted[key] = CallSamples()
                own_ns = call.elapsed_ns - call.nested_ns
                samples.add(call.elapsed_ns, own_ns, call.cost, in_pass=wall_ns is not None)
        thread.calls.clear()

    def _finish_layer(self, thread: _Thread, layer: int | None) -> None:
        innermost = len(thread.open) == thread.outside
        if thread.calls and innermost and thread.calls[-1].layer != layer:
            self._charge_wait(thread)

    def _charge_wait(self, thread: _Thread) -> None:
        """Wait for the device on account of the brick that ran last."""
        began = self._clock()
        self._synchronize()
        waited_ns = self._clock() - began
        if thread.calls:
            thread.calls[-1].elapsed_ns += waited_ns


def _unwind(stack: list[_Call], last: _Call | None, brick: str, layer: int | None) -> _Call:
    """The innermost open call of that brick; whatever was left open inside it is dropped."""
    opened = [*stack, last] if last is not None else []
    for depth in range(len(opened) - 1, -1, -1):
        if opened[depth].brick == brick and opened[depth].layer == layer:
            del stack[depth:]
            return opened[depth]
    stack[:] = opened
    names = ", ".join(f"{each.brick} (layer {each.layer})" for each in opened) or "none"
    raise ConfigError(
        f"stop({str(brick)!r}, layer={layer}) without a start in this thread; open bricks: {names}"
    )


def _do_nothing() -> None:
    """Stands in for a device that needs no waiting for."""
