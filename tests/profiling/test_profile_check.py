"""A profile is held to its contracts; a healthy one is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.profiling import (
    BrickCost,
    BrickProfiler,
    HardwareCapability,
    Roofline,
    SyncMode,
    check_profile,
)
from tracepact.profiling.profile_check import MIN_CALLS, PROFILING_CONTRACT
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy
from tracepact.types import BrickId

pytestmark = pytest.mark.usefixtures("core")

GATE = BrickCost(4e6, 2e6, 1)
"""40 µs at 100 GB/s, so a budget of 45.4 µs, which the contract's tolerance doubles."""
HEAD = BrickCost(40e6, 2e7, 1)

Layer = Callable[..., ContractTracingLayer]


class Clock(Protocol):
    """What the fixture `clock` is."""

    def __call__(self) -> int: ...

    def advance_us(self, microseconds: float) -> None: ...


@pytest.fixture
def memory() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture
def layer(memory: MemoryExporter) -> Layer:
    def make(registry: ContractRegistry | None = None, **policy: object) -> ContractTracingLayer:
        return ContractTracingLayer(
            ContractRegistry.builtin() if registry is None else registry,
            [memory],
            Policy(**policy),  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def roofline(hardware: HardwareCapability) -> Roofline:
    roofline = Roofline.from_registry(ContractRegistry.builtin(), hardware)
    assert roofline is not None
    return roofline


class Model:
    """Two layers of a llama on a clock that the test sets; every time can be changed."""

    def __init__(self, clock: Clock, **options: object) -> None:
        self.clock = clock
        self.profiler = BrickProfiler(clock=clock, **options)  # type: ignore[arg-type]
        self.norm_us = 5.0
        self.gate_us = 42.0
        self.head_us = 420.0
        self.slow_us: Iterator[float] = iter(())
        self.heads = 1
        self.final_norm = True

    def _brick(self, name: str, us: float, layer: int | None, cost: BrickCost | None) -> None:
        self.profiler.start(name, layer)
        self.clock.advance_us(us)
        self.profiler.stop(name, layer, cost=cost)

    def decode(self, tokens: int) -> None:
        for _ in range(tokens):
            self.profiler.begin_forward()
            for layer in range(2):
                self._brick(BrickId.RmsNorm, self.norm_us, layer, None)
                self._brick(BrickId.RmsNorm, self.norm_us, layer, None)
                gate_us = next(self.slow_us, self.gate_us) if layer == 1 else self.gate_us
                self._brick(BrickId.GateProjection, gate_us, layer, GATE)
            if self.final_norm:
                self._brick(BrickId.RmsNorm, self.norm_us, None, None)
            for _ in range(self.heads):
                self._brick(BrickId.LmHead, self.head_us, None, HEAD)
            self.profiler.end_forward()


@pytest.fixture
def model(clock: Clock) -> Model:
    return Model(clock)


def test_healthy_run_is_silent(
    model: Model, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    model.decode(20)
    tracing = layer()
    assert check_profile(model.profiler, tracing, roofline)
    assert memory.violations == []
    assert tracing.faults == {}
    assert tracing.checks > 0


def test_slow_brick_is_reported_with_its_layer_and_times(
    model: Model, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    model.slow_us = iter([400.0] * 20)
    model.decode(20)
    assert not check_profile(model.profiler, layer(), roofline)
    (violation,) = memory.violations
    assert (violation.contract, violation.equation) == (PROFILING_CONTRACT, "brick_within_budget")
    assert (violation.layer, violation.brick) == (1, "GateProjection")
    assert violation.measured["median_us"] == 400.0
    assert violation.obligation == "Brick keeps its budget"


def test_one_preempted_call_is_no_violation(
    model: Model, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    model.slow_us = iter([50_000.0])
    model.decode(MIN_CALLS)
    assert check_profile(model.profiler, layer(), roofline)
    assert memory.violations == []


def test_few_calls_are_not_judged(
    model: Model, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    model.slow_us = iter([50_000.0] * 10)
    model.decode(MIN_CALLS - 1)
    assert check_profile(model.profiler, layer(), roofline)
    model.decode(1)
    assert not check_profile(model.profiler, layer(), roofline)
    assert memory.violations[0].brick == "GateProjection"


def test_prefill_has_no_budget(
    clock: Clock, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    profiler = BrickProfiler(clock=clock)
    for _ in range(10):
        profiler.start(BrickId.GateProjection, 0)
        clock.advance_us(50_000)
        profiler.stop(BrickId.GateProjection, 0, cost=GATE, tokens=12)
    assert check_profile(profiler, layer(), roofline)
    assert memory.violations == []


def test_times_of_launching_are_not_held_to_budgets(
    clock: Clock, layer: Layer, roofline: Roofline, memory: MemoryExporter
) -> None:
    """Deferred synchronisation: the device works behind, and a brick's time says nothing."""
    model = Model(clock, sync=SyncMode.DEFERRED, synchronize=lambda: None)
    model.gate_us = 50_000.0
    model.decode(10)
    assert check_profile(model.profiler, layer(), roofline)
    assert memory.violations == []


def test_without_roofline_no_budget_is_judged(
    model: Model, layer: Layer, memory: MemoryExporter
) -> None:
    model.slow_us = iter([400.0] * 10)
    model.decode(10)
    assert check_profile(model.profiler, layer())
    assert memory.violations == []


@pytest.mark.parametrize(
    ("change", "equation"),
    [
        ({"heads": 2}, "report_denominator"),
        ({"final_norm": False}, "norm_count"),
        ({"head_us": 1.0}, "brick_ordering"),
        ({"norm_us": 60.0}, "brick_ordering"),
    ],
)
def test_profile_that_contradicts_the_model_is_reported(
    model: Model,
    layer: Layer,
    memory: MemoryExporter,
    change: dict[str, object],
    equation: str,
) -> None:
    for name, value in change.items():
        setattr(model, name, value)
    model.decode(10)
    assert not check_profile(model.profiler, layer())
    assert {violation.equation for violation in memory.violations} == {equation}


def test_layer_that_never_ran_is_missed_when_the_model_says_how_many_it_has(
    model: Model, layer: Layer, memory: MemoryExporter
) -> None:
    model.decode(10)
    assert check_profile(model.profiler, layer(), layers=2)
    assert not check_profile(model.profiler, layer(), layers=3)
    assert [violation.equation for violation in memory.violations] == ["norm_count"]


def test_clock_that_runs_backwards_is_reported(
    clock: Clock, layer: Layer, memory: MemoryExporter
) -> None:
    model = Model(clock)
    model.profiler.begin_forward()
    model._brick("A", 100, 0, None)
    clock.advance_us(-50)
    model.profiler.end_forward()
    assert not check_profile(model.profiler, layer())
    assert [violation.equation for violation in memory.violations] == ["wall_coverage"]


def test_ordering_of_small_weights_is_not_judged(
    clock: Clock, layer: Layer, memory: MemoryExporter
) -> None:
    """Below the contract's precondition fixed costs decide which brick takes longer."""
    profiler = BrickProfiler(clock=clock)
    small = BrickCost(1e5, 1e5, 1)
    for name, us in ((BrickId.GateProjection, 1), (BrickId.LmHead, 1)):
        for _ in range(10):
            profiler.start(name, 0)
            clock.advance_us(us)
            profiler.stop(name, 0, cost=small)
    for _ in range(10):
        profiler.start(BrickId.RmsNorm, 0)
        clock.advance_us(9)
        profiler.stop(BrickId.RmsNorm, 0)
    assert check_profile(profiler, layer())
    assert memory.violations == []


def test_profilers_own_layer_is_the_default(
    clock: Clock, layer: Layer, memory: MemoryExporter
) -> None:
    model = Model(clock, layer=layer())
    model.heads = 2
    model.decode(5)
    assert not check_profile(model.profiler)
    assert len(memory.violations) == 1


def test_no_layer_at_all_is_a_mistake(model: Model) -> None:
    with pytest.raises(ConfigError, match="no layer to report to"):
        check_profile(model.profiler)


def test_layer_that_is_off_checks_nothing(
    model: Model, layer: Layer, memory: MemoryExporter
) -> None:
    model.heads = 2
    model.decode(5)
    assert check_profile(model.profiler, layer(mode=Mode.OFF))
    assert memory.violations == []


def test_policy_raise_raises(model: Model, layer: Layer) -> None:
    model.heads = 2
    model.decode(5)
    with pytest.raises(ContractViolation, match="Output head runs once a decoded token"):
        check_profile(model.profiler, layer(mode=Mode.RAISE))


def test_sampling_does_not_skip_the_only_check_of_a_run(
    model: Model, layer: Layer, memory: MemoryExporter
) -> None:
    model.heads = 2
    model.decode(5)
    assert not check_profile(model.profiler, layer(sampler=EveryNth(1000)))
    assert len(memory.violations) == 1


def test_registry_without_the_profiling_contract_says_nothing(model: Model, layer: Layer) -> None:
    model.heads = 2
    model.decode(5)
    assert check_profile(model.profiler, layer(ContractRegistry()))
