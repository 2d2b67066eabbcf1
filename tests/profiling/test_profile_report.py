"""Figures of a report follow from what ran; each test knows the answer beforehand."""

from __future__ import annotations

from typing import Protocol

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.profiling import (
    BrickCost,
    BrickProfile,
    BrickProfiler,
    HardwareCapability,
    PhaseProfile,
    Roofline,
    profile_report,
)
from tracepact.types import BrickCategory, BrickId

pytestmark = pytest.mark.usefixtures("core")


class Clock(Protocol):
    """What the fixture `clock` is."""

    def __call__(self) -> int: ...

    def advance_us(self, microseconds: float) -> None: ...


class Run:
    """A model of two layers on a clock that the test sets."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.profiler = BrickProfiler(clock=clock)

    def brick(
        self,
        name: str,
        microseconds: float,
        layer: int | None = None,
        *,
        cost: BrickCost | None = None,
        tokens: int = 1,
    ) -> None:
        self.profiler.start(name, layer)
        self.clock.advance_us(microseconds)
        self.profiler.stop(name, layer, cost=cost, tokens=tokens)

    def forward(self, norm_us: float = 5, tokens: int = 1) -> None:
        """Two layers of a norm and a projection of 10 µs, a head of 60; 10 µs beside bricks."""
        self.profiler.begin_forward()
        for layer in range(2):
            self.brick(BrickId.RmsNorm, norm_us, layer, tokens=tokens)
            cost = BrickCost(1e6, 1e5, 1)
            self.brick(BrickId.GateProjection, 10, layer, cost=cost, tokens=tokens)
        self.brick(BrickId.LmHead, 60)
        self.clock.advance_us(10)
        self.profiler.end_forward()


@pytest.fixture
def run(clock: Clock) -> Run:
    return Run(clock)


def _brick(phase: PhaseProfile, name: str) -> BrickProfile:
    return next(brick for brick in phase.bricks if brick.brick == name)


def test_coverage_and_shares_are_parts_of_wall_time(run: Run) -> None:
    run.forward()
    decode = profile_report(run.profiler).decode
    assert (decode.passes, decode.wall_us) == (1, 100.0)
    assert decode.coverage == pytest.approx(0.9)
    shares = {brick.brick: brick.share for brick in decode.bricks}
    assert shares == pytest.approx({"LmHead": 0.6, "GateProjection": 0.2, "RmsNorm": 0.1})


def test_cost_a_token_divides_by_decoded_tokens_and_not_by_calls(run: Run) -> None:
    """Three tokens, six calls of the norm: 10 µs a token, although a call takes 5."""
    for _ in range(3):
        run.forward()
    norm = _brick(profile_report(run.profiler).decode, "RmsNorm")
    assert (norm.calls, norm.mean_us, norm.us_per_token) == (6, 5.0, 10.0)


def test_one_slow_call_moves_the_mean_and_not_the_median(run: Run) -> None:
    for norm_us in (5, 5, 5, 5, 1005):
        run.forward(norm_us)
    norm = _brick(profile_report(run.profiler).decode, "RmsNorm")
    assert (norm.mean_us, norm.median_us) == (205.0, 5.0)
    assert norm.p95_us > 500


def test_layers_are_told_apart_and_summed(run: Run) -> None:
    run.forward()
    decode = profile_report(run.profiler).decode
    assert [(brick.layer, brick.brick) for brick in decode.by_layer] == [
        (0, "RmsNorm"),
        (0, "GateProjection"),
        (1, "RmsNorm"),
        (1, "GateProjection"),
        (None, "LmHead"),
    ]
    assert [brick.brick for brick in decode.bricks] == ["LmHead", "GateProjection", "RmsNorm"]


def test_bytes_and_rate_come_from_the_cost(run: Run) -> None:
    run.forward()
    gate = _brick(profile_report(run.profiler).decode, "GateProjection")
    assert gate.bytes_moved == 2e6
    assert gate.gb_per_sec == pytest.approx(100.0)


def test_budget_is_that_of_the_roofline(run: Run, hardware: HardwareCapability) -> None:
    roofline = Roofline.from_registry(ContractRegistry.builtin(), hardware)
    run.forward()
    decode = profile_report(run.profiler, roofline).decode
    gate = _brick(decode, "GateProjection")
    assert gate.budget_us == pytest.approx(10 / 0.9 + 1)
    assert gate.utilization == pytest.approx(10 / (10 / 0.9 + 1))
    norm = _brick(decode, "RmsNorm")
    assert (norm.budget_us, norm.utilization) == (None, None)


def test_prefill_is_kept_apart_from_decode(run: Run) -> None:
    run.forward(norm_us=500, tokens=12)
    run.forward()
    report = profile_report(run.profiler)
    assert _brick(report.decode, "RmsNorm").mean_us == 5.0
    assert _brick(report.prefill, "RmsNorm").mean_us == 500.0
    assert (report.decode.passes, report.prefill.passes) == (1, 1)


def test_prefill_has_no_cost_a_decoded_token(run: Run) -> None:
    run.forward(tokens=12)
    assert _brick(profile_report(run.profiler).prefill, "RmsNorm").us_per_token is None


def test_categories_count_no_time_twice(run: Run) -> None:
    run.profiler.start("Block", 0)
    run.brick(BrickId.RmsNorm, 5, 0)
    run.clock.advance_us(1)
    run.profiler.stop("Block", 0)
    totals = profile_report(run.profiler).decode.category_us
    assert totals == {
        BrickCategory.NORM: 5.0,
        BrickCategory.ATTENTION: 0.0,
        BrickCategory.FFN: 0.0,
        BrickCategory.OTHER: 1.0,
    }


def test_every_brick_that_ran_is_listed_also_unknown_ones_and_those_outside_a_pass(
    run: Run,
) -> None:
    run.brick(BrickId.Sampling, 3)
    run.brick("MyKernel", 0)
    decode = profile_report(run.profiler).decode
    assert {brick.brick for brick in decode.bricks} == {"Sampling", "MyKernel"}
    assert {brick.share for brick in decode.bricks} == {None}
    assert (decode.coverage, decode.lm_head_calls) == (None, 0)
    assert _brick(decode, "MyKernel").gb_per_sec == 0.0


def test_nothing_ran_nothing_is_reported(run: Run) -> None:
    report = profile_report(run.profiler)
    for phase in (report.decode, report.prefill):
        assert (phase.bricks, phase.by_layer, phase.passes, phase.coverage) == ((), (), 0, None)
