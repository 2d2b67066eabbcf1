"""A site checks fields and says what is wrong with them, and where."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.core import Stat, TensorStats, measure
from tracepact.errors import ContractViolation
from tracepact.tracing import Context, ContractTracingLayer, EveryNth, Mode, Policy, TimeBudget
from tracepact.types import Array

Build = Callable[..., Any]


def test_check_is_true_when_every_condition_holds(traced: Build) -> None:
    layer, site, violations = traced("all(isfinite(ret))", "0 <= ret <= 1")
    assert site.check(ret=np.array([0, 1])) is True
    assert (violations, layer.checks, layer.violations) == ([], 2, 0)


def test_check_is_false_after_reporting(traced: Build) -> None:
    layer, site, violations = traced("ret >= 0", "ret <= 1", "sum(ret) < 9")
    assert site.check(ret=np.array([-1, 0, 2])) is False
    assert [v.expression for v in violations] == ["ret >= 0", "ret <= 1"]
    assert (layer.checks, layer.violations) == (3, 2)


def test_violation_says_everything(traced: Build) -> None:
    before = time.time_ns()
    _, site, violations = traced("abs(row_sums(ret) - 1) <= tol", tolerance=1e-6)
    site.check_in(
        Context(layer=3, brick="AttentionSoftmax", trace="MLT-02", step=7),
        ret=np.array([[0.5, 0.5], [0.5, 0.43]]),
    )
    (v,) = violations
    assert (v.contract, v.equation, v.kind) == ("demo-kernel-v1", "demo", "postcondition")
    assert (v.obligation, v.expression) == (v.expression, "abs(row_sums(ret) - 1) <= tol")
    assert (v.verdict, v.index) == ("failed", (1,))
    assert v.measured["row_sums(ret)[1]"] == pytest.approx(0.93)
    assert v.measured["tol"] == 1e-6
    assert (v.layer, v.brick, v.trace, v.step) == (3, "AttentionSoftmax", "MLT-02", 7)
    assert v.source.file.endswith("demo-kernel-v1.yaml")
    assert v.source.line == 7
    assert before <= v.time_unix_ns <= time.time_ns()
    assert v.message.startswith("TIER3: contract postcondition violated at layer 3, Attention")


def test_place_of_the_site_is_the_place_of_its_checks(traced: Build) -> None:
    _, site, violations = traced("ret < 0", context=Context(layer=5, brick="Mine"))
    site.check(ret=1)
    with site(ret=1):
        pass
    assert [(v.layer, v.brick) for v in violations] == [(5, "Mine")] * 2


def test_preconditions_are_checked_when_asked_for(traced: Build) -> None:
    _, site, violations = traced("ret > 0", pre=("x > 0",), preconditions=True)
    assert not site.check(x=-1, ret=-1)
    assert [(v.kind, v.expression) for v in violations] == [
        ("precondition", "x > 0"),
        ("postcondition", "ret > 0"),
    ]
    assert "contract precondition violated" in violations[0].message
    _, site, _ = traced("ret > 0", pre=("x > 0",))
    assert site.check(x=-1, ret=1)


# -- what cannot be checked --------------------------------------------------------------------


def test_missing_field_is_never_a_silent_pass(traced: Build) -> None:
    layer, site, violations = traced("ret <= max(x)", "ret > 0")
    for _ in range(5):
        assert site.check(ret=np.ones(2), other=1) is False
    (v,) = violations
    assert (v.verdict, v.expression) == ("unbound", "ret <= max(x)")
    assert v.explanation == "no field 'x' was recorded; known: other, ret"
    assert "not checked (unbound)" in v.message
    assert (layer.violations, layer.suppressed, layer.checks) == (0, 4, 5)


def test_other_conditions_are_checked_beside_an_unbound_one(traced: Build) -> None:
    _, site, violations = traced("ret <= max(x)", "ret > 0")
    site.check(ret=-1)
    assert [(v.verdict, v.expression) for v in violations] == [
        ("unbound", "ret <= max(x)"),
        ("failed", "ret > 0"),
    ]


def test_field_that_is_none_counts_as_missing(traced: Build) -> None:
    _, site, violations = traced("bias < 1")
    assert not site.check(bias=None)
    assert violations[0].explanation == "no field 'bias' was recorded; known: none"


def test_fields_that_do_not_fit_are_an_error_verdict(traced: Build) -> None:
    layer, site, violations = traced("x < y", "y > 0")
    for _ in range(3):
        assert site.check(x=np.ones(2), y=np.ones(3)) is False
    (v,) = violations
    assert (v.verdict, v.expression) == ("error", "x < y")
    assert "broadcast" in v.explanation
    assert (layer.violations, layer.checks, dict(layer.faults)) == (0, 3, {})


def test_other_conditions_are_checked_beside_one_that_does_not_fit(traced: Build) -> None:
    """A NaN must not hide behind a field of the wrong type."""
    _, site, violations = traced("len(x) == 3 and y < 1", "all(isfinite(ret))", "sum(x) < 5")
    site.check(x=np.ones(2), y="text", ret=np.array([1, math.nan]))
    assert [(v.verdict, v.expression) for v in violations] == [
        ("error", "len(x) == 3 and y < 1"),
        ("failed", "all(isfinite(ret))"),
    ]
    assert violations[1].index == (1,)


def test_fault_in_a_check_is_counted_and_logged_once_and_never_raised(
    traced: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layer, site, violations = traced("ret > 0")

    def broken(fields: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(site.plan, "run", broken)
    for _ in range(3):
        assert site.check(ret=-1)
    with site(ret=-1) as span:
        pass
    assert span.status == "ok"
    assert layer.faults == {"check of demo-kernel-v1/demo: ZeroDivisionError": 4}
    assert [r.getMessage() for r in caplog.records] == [
        "tracepact: fault in check of demo-kernel-v1/demo: a bug of ours"
    ]
    assert (violations, layer.checks) == ([], 0)


# -- policy ------------------------------------------------------------------------------------


def test_off_measures_nothing(traced: Build) -> None:
    class Untouchable:
        def __array__(self, *arguments: Any, **options: Any) -> Array:
            raise AssertionError("was read")

    layer, site, violations = traced("x == old(x)", policy=Policy(mode=Mode.OFF))
    assert site.check(x=Untouchable())
    with site(x=Untouchable()) as span:
        span.record(x=Untouchable())
    assert not layer.is_on
    assert (violations, layer.checks, layer.check_ns, span.fields) == ([], 0, 0, {})


def test_raise_reports_first_and_then_raises(traced: Build) -> None:
    layer, site, violations = traced("ret > 0", "ret > 1", policy=Policy(mode=Mode.RAISE))
    assert layer.is_on
    assert site.check(ret=2)
    with pytest.raises(ContractViolation) as caught:
        site.check(ret=0)
    assert len(violations) == 2
    assert caught.value.violation is violations[0]
    assert str(caught.value) == violations[0].message


def test_raise_raises_for_what_was_not_checked_too(traced: Build) -> None:
    _, site, _ = traced("ret > 0", policy=Policy(mode=Mode.RAISE))
    for _ in range(2):
        with pytest.raises(ContractViolation, match="unbound"):
            site.check(x=1)


def test_every_nth_check_runs(traced: Build) -> None:
    layer, site, violations = traced("ret > 0", policy=Policy(sampler=EveryNth(3), keep_first=99))
    assert [site.check(ret=-1) for _ in range(6)] == [False, True, True, False, True, True]
    for _ in range(3):
        with site(ret=-1):
            pass
    assert (len(violations), layer.checks) == (3, 3)


def test_checks_stay_in_their_share_of_time(traced: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = [10**9]
    monkeypatch.setattr("tracepact.tracing.policy.time.monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(
        "tracepact.tracing.site.time.perf_counter_ns", iter(range(0, 10**6, 1000)).__next__
    )
    layer, site, _ = traced("ret > 0", policy=Policy(sampler=TimeBudget(0.01)))
    for _ in range(1000):  # a check takes 1 µs, a call 1 µs of the model's own time
        site.check(ret=1)
        now_ns[0] += 1000
    assert layer.checks == 10
    assert layer.check_ns == 10_000


# -- fields ------------------------------------------------------------------------------------


def test_field_may_have_any_name(traced: Build) -> None:
    _, site, violations = traced("self + context < name")
    assert site.check(self=1, context=2, name=4)
    assert not site.check_in(Context(layer=1), self=1, context=3, name=4)
    with site(self=1, context=2) as span:
        span.record(self=0, name=1)
    assert [v.layer for v in violations] == [1, None]


def test_old_value_is_the_one_at_open_although_the_kernel_works_in_place(traced: Build) -> None:
    _, site, violations = traced("x == old(x) + 1")
    for dtype in (np.float64, np.int8):
        x = np.zeros(3, dtype)
        with site(x=x) as span:
            x += 1
        assert span.status == "ok"
    with site(x=x) as span:
        pass
    assert span.status == "violated"
    assert violations[0].measured == {"old(x)[0]": 1.0, "x[0]": 1.0}


def test_old_value_of_a_missing_field_is_unbound(traced: Build) -> None:
    _, site, violations = traced("x == old(x)")
    with site() as span:
        span.record(x=1)
    assert not site.check(x=1)
    with site(x=None):
        pass
    assert [v.explanation for v in violations] == [
        "no field 'old(x)' was recorded; known: x",
    ]


def test_old_value_that_cannot_be_copied_is_a_fault(traced: Build) -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            raise RuntimeError("on another device")

    layer, site, violations = traced("x == old(x)")
    with site(x=Tensor()) as span:
        span.record(x=1)
    assert layer.faults == {"copy of 'x' for demo-kernel-v1/demo: RuntimeError": 1}
    assert [v.verdict for v in violations] == ["unbound"]


# -- statistics --------------------------------------------------------------------------------


def test_statistics_come_from_the_pass_of_the_check(traced: Build) -> None:
    layer, site, _ = traced("all(isfinite(x))", also={"x": Stat.FULL, "y": Stat.COUNTS})
    statistics: dict[str, TensorStats] = {}
    found = site.examine({"x": np.array([1.0, 3.0]), "y": np.ones(3)}, statistics=statistics)
    assert found == []
    assert (statistics["x"].mean, statistics["y"].count) == (2, 3)
    assert layer.checks == 1


def test_statistics_are_wanted_only_of_fields_that_are_there(traced: Build) -> None:
    _, site, violations = traced("x > 0", also={"x": Stat.FULL, "y": Stat.FULL})
    assert site.check(x=1)
    assert violations == []


def test_statistics_measured_earlier_are_checked_again(traced: Build) -> None:
    _, site, violations = traced("abs(x) <= 1", "max(x * x) <= 1")
    assert not site.check(x=measure(np.array([0.5, 2])))
    assert [(v.verdict, v.expression) for v in violations] == [
        ("failed", "abs(x) <= 1"),
        ("error", "max(x * x) <= 1"),
    ]


def test_field_that_is_only_wanted_and_cannot_be_measured_is_a_fault(traced: Build) -> None:
    layer, site, violations = traced("x > 0", also={"y": Stat.FULL})
    assert site.check(x=1, y="text")
    assert layer.faults == {"check of demo-kernel-v1/demo: MeasureError": 1}
    assert violations == []


def test_equation_without_conditions_has_nothing_to_break(
    registry: Callable[..., ContractRegistry],
) -> None:
    layer = ContractTracingLayer(registry(), [])
    assert layer.site("demo-kernel-v1", "demo").check(x=math.nan)
    assert layer.checks == 0
