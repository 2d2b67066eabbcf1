"""Bricks with a budget of their own."""

from __future__ import annotations

from itertools import count

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.profiling import (
    DEFAULT_BUDGET,
    BrickLayer,
    ComputeBrick,
    HardwareCapability,
    TokenBudget,
    brick,
)
from tracepact.tracing import ContractTracingLayer, Mode, Policy
from tracepact.types import BrickId


@pytest.fixture(autouse=True)
def _runs_take_100_us(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0, 100_000)
    monkeypatch.setattr(brick.time, "perf_counter_ns", lambda: next(ticks))


@pytest.fixture
def memory() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture
def layer(memory: MemoryExporter) -> ContractTracingLayer:
    return ContractTracingLayer(ContractRegistry.builtin(), [memory], Policy())


def test_run_returns_the_value_and_what_it_took() -> None:
    result = ComputeBrick("Add", TokenBudget.from_latency(200.0)).run(lambda a, b: a + b, 1, b=2)
    assert result.value == 3
    assert result.us_per_token == 100.0
    assert result.utilization == 0.5
    assert result.budget_met


def test_time_is_divided_by_tokens() -> None:
    result = ComputeBrick("Add", TokenBudget.from_latency(30.0)).run(int, tokens=4)
    assert (result.us_per_token, result.budget_met) == (25.0, True)


def test_batch_of_the_budget_is_the_default_number_of_tokens() -> None:
    result = ComputeBrick("Add", TokenBudget.from_latency(30.0, batch_size=5)).run(int)
    assert result.us_per_token == 20.0


def test_exceeded_budget_is_an_ordinary_violation(
    layer: ContractTracingLayer, memory: MemoryExporter
) -> None:
    result = ComputeBrick(BrickId.RmsNorm, TokenBudget.from_latency(10.0)).run(int, layer=layer)
    assert not result.budget_met
    (violation,) = memory.violations
    assert violation.contract == "gpu-decode-profiling-v1"
    assert violation.equation == "brick_within_budget"
    assert violation.brick == "RmsNorm"
    assert violation.measured["median_us"] == 100.0
    assert violation.location.file == __file__


def test_met_budget_is_silent(layer: ContractTracingLayer, memory: MemoryExporter) -> None:
    compute = ComputeBrick("Add", TokenBudget.from_latency(200.0))
    assert compute.run(int, layer=layer).budget_met
    assert compute.run(int, layer=layer).budget_met
    assert memory.violations == []


def test_each_run_reports_to_the_layer_that_it_was_given(
    layer: ContractTracingLayer, memory: MemoryExporter
) -> None:
    compute = ComputeBrick("Add", TokenBudget.from_latency(10.0))
    strict = ContractTracingLayer(ContractRegistry.builtin(), [], Policy(mode=Mode.RAISE))
    compute.run(int, layer=layer)
    with pytest.raises(ContractViolation):
        compute.run(int, layer=strict)
    compute.run(int, layer=layer)
    assert len(memory.violations) == 2


def test_exception_of_the_work_passes_through(
    layer: ContractTracingLayer, memory: MemoryExporter
) -> None:
    with pytest.raises(ZeroDivisionError):
        ComputeBrick("Divide", TokenBudget.from_latency(1.0)).run(lambda: 1 / 0, layer=layer)
    assert memory.violations == []


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ConfigError, match="Add: a brick works on at least 1 token, not 0"):
        ComputeBrick("Add", DEFAULT_BUDGET).run(int, tokens=0)


def test_budget_comes_from_the_roofline_contract(hardware: HardwareCapability) -> None:
    registry = ContractRegistry.builtin()
    compute = ComputeBrick.from_contract(registry, hardware)
    assert compute.budget == registry.derive_budget(hardware)
    assert compute.contract_id == "roofline-model-v1"
    assert ComputeBrick.from_contract(registry, hardware, name="Decode").name == "Decode"


def test_without_roofline_contract_a_token_may_take_50_us(hardware: HardwareCapability) -> None:
    compute = ComputeBrick.from_contract(ContractRegistry(), hardware)
    assert compute.budget == TokenBudget.from_latency(50.0)
    assert compute.contract_id is None


def test_layer_is_as_fast_as_its_slowest_brick() -> None:
    bricks = [
        ComputeBrick(name, TokenBudget.from_throughput(rate))
        for name, rate in (("Norm", 900.0), ("Gate", 100.0), ("Up", 100.0))
    ]
    layer = BrickLayer(bricks)
    assert layer.ceiling_tokens_per_sec == 100.0
    assert layer.bottleneck.name == "Gate"


def test_layer_without_bricks_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one brick"):
        BrickLayer([])
