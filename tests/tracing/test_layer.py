"""The layer: look-up, location, counters, caps, and faults that never reach the model."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from inspect import currentframe
from pathlib import Path
from typing import Any

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError
from tracepact.exporters import LogExporter, MemoryExporter
from tracepact.tracing import ContractTracingLayer, Mode, Policy
from tracepact.tracing import layer as layer_module
from tracepact.violation import Context, Violation

Build = Callable[..., Any]


class Broken:
    """An exporter with a bug."""

    def export(self, violation: Violation) -> None:
        raise RuntimeError("disk full")

    def close(self) -> None:
        raise OSError("cannot flush")


# -- sites -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "equation", "message"),
    [
        ("demo-kernal-v1", "demo", "unknown contract 'demo-kernal-v1'; .*'demo-kernel-v1'"),
        ("demo-kernel-v1", "dem", "contract 'demo-kernel-v1' has no equation 'dem'; .*'demo'"),
        ("zzz", "demo", "unknown contract 'zzz'"),
    ],
)
def test_unknown_site_says_what_is_near(
    registry: Build, contract: str, equation: str, message: str
) -> None:
    layer = ContractTracingLayer(registry("ret > 0"))
    with pytest.raises(ConfigError, match=message):
        layer.site(contract, equation)


def test_site_of_an_unknown_equation_can_be_had_for_measuring_only(registry: Build) -> None:
    layer = ContractTracingLayer(registry("ret > 0"), [])
    assert layer.site_if_known("zzz", "demo").check(ret=-1)
    assert not layer.site_if_known("demo-kernel-v1", "demo").check(ret=-1)


def test_location_is_the_line_that_made_the_site(traced: Build) -> None:
    layer, _, violations = traced("ret > 0")
    frame = currentframe()
    assert frame is not None
    site, line = layer.site("demo-kernel-v1", "demo"), frame.f_lineno
    site.check(ret=-1)
    assert violations[0].location == (__file__, line)
    known, line = layer.site_if_known("demo-kernel-v1", "demo"), frame.f_lineno
    assert known.location == (__file__, line)


def test_location_is_never_inside_the_package_but_may_be_in_one_of_a_like_name(
    registry: Build,
) -> None:
    layer = ContractTracingLayer(registry("ret > 0"), [])
    package = str(Path(layer_module.__file__).parents[1])
    for file, expected in ((f"{package}/producer.py", __file__), (f"{package}_user/app.py", None)):
        names: dict[str, Any] = {"layer": layer}
        exec(compile("site = layer.site('demo-kernel-v1', 'demo')", file, "exec"), names)
        assert names["site"].location.file == (expected or file)


def test_location_without_a_caller_is_unknown(
    registry: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_module, "_PACKAGE", "")
    layer = ContractTracingLayer(registry("ret > 0"), [])
    assert layer.site("demo-kernel-v1", "demo").location == ("<unknown>", 0)


# -- defaults ----------------------------------------------------------------------------------


def test_violations_go_to_the_log_by_default(
    registry: Build, caplog: pytest.LogCaptureFixture
) -> None:
    layer = ContractTracingLayer(registry("ret > 0"))
    assert isinstance(layer.exporters[0], LogExporter)
    layer.site("demo-kernel-v1", "demo").check(ret=-1)
    assert "TIER3: contract postcondition violated" in caplog.text


@pytest.mark.parametrize("mode", ["off", "raise"])
def test_policy_is_that_of_the_environment_by_default(
    registry: Build, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("TRACEPACT", mode)
    assert ContractTracingLayer(registry("ret > 0")).policy.mode == mode
    assert ContractTracingLayer(registry("ret > 0"), policy=Policy()).policy.mode is Mode.LOG


# -- repeats -----------------------------------------------------------------------------------


def test_repeats_are_capped_and_counted(traced: Build) -> None:
    policy = Policy(keep_first=2, repeats_per_second=0)
    layer, site, violations = traced("ret > 0", "ret > 1", policy=policy)
    for _ in range(10):
        site.check(ret=-1)
    assert [v.expression for v in violations] == ["ret > 0", "ret > 1"] * 2
    assert (layer.violations, layer.suppressed) == (20, 16)


def test_first_violation_at_another_place_is_no_repeat(traced: Build) -> None:
    layer, site, violations = traced("ret > 0", policy=Policy(keep_first=1, repeats_per_second=0))
    other = layer.site("demo-kernel-v1", "demo")
    for _ in range(2):
        site.check(ret=-1)
        other.check(ret=-1)
        site.check_in(Context(layer=1), ret=-1)
        site.check_in(Context(layer=2), ret=-1)
        site.check_in(Context(brick="RmsNorm"), ret=-1)
    assert len(violations) == 5


def test_raise_is_not_capped(traced: Build) -> None:
    policy = Policy(mode=Mode.RAISE, keep_first=1, repeats_per_second=0)
    _, site, violations = traced("ret > 0", policy=policy)
    for _ in range(3):
        with pytest.raises(AssertionError):
            site.check(ret=-1)
    assert len(violations) == 1


# -- faults ------------------------------------------------------------------------------------


def test_fault_of_an_exporter_is_counted_and_logged_once_and_the_others_go_on(
    registry: Build, caplog: pytest.LogCaptureFixture
) -> None:
    memory = MemoryExporter()
    layer = ContractTracingLayer(registry("ret > 0"), [Broken(), memory], Policy(keep_first=9))
    site = layer.site("demo-kernel-v1", "demo")
    for _ in range(3):
        assert site.check(ret=-1) is False
    assert len(memory.violations) == 3
    assert layer.faults == {"exporter Broken: RuntimeError": 3}
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("tracepact", logging.WARNING)
    assert record.getMessage() == "tracepact: fault in exporter Broken: disk full"
    assert record.exc_info


def test_fault_of_an_exporter_does_not_keep_the_policy_from_raising(registry: Build) -> None:
    layer = ContractTracingLayer(registry("ret > 0"), [Broken()], Policy(mode=Mode.RAISE))
    with pytest.raises(AssertionError):
        layer.site("demo-kernel-v1", "demo").check(ret=-1)


def test_fault_of_the_log_itself_is_not_raised_either(registry: Build) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("log server is down")

    logger, handler = logging.getLogger("tracepact"), Handler()
    layer = ContractTracingLayer(registry("ret > 0"))
    logger.addHandler(handler)
    try:
        assert layer.site("demo-kernel-v1", "demo").check(ret=-1) is False
    finally:
        logger.removeHandler(handler)
    assert layer.faults == {"exporter LogExporter: RuntimeError": 1}


def test_close_closes_every_exporter(registry: Build) -> None:
    closed = []

    class Closing(MemoryExporter):
        def close(self) -> None:
            closed.append(self)

    exporters = [Closing(), Broken(), Closing()]
    layer = ContractTracingLayer(registry("ret > 0"), exporters)
    layer.close()
    assert closed == [exporters[0], exporters[2]]
    assert layer.faults == {"exporter Broken: OSError": 1}


# -- threads -----------------------------------------------------------------------------------


def test_counters_are_exact_under_threads(registry: Callable[..., ContractRegistry]) -> None:
    """The plan for other fields, which is compiled at first use, is raced for too."""

    class Counting:
        spent = 0

        def admit(self, caller: object = None) -> bool:
            return True

        def spend(self, duration_ns: int) -> None:
            Counting.spent += 1

    memory = MemoryExporter()
    policy = Policy(sampler=Counting(), keep_first=3, repeats_per_second=0)
    layer = ContractTracingLayer(registry("ret > 0", "x > 0"), [memory, Broken()], policy)
    site = layer.site("demo-kernel-v1", "demo")
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait(timeout=10)
        for _ in range(100):
            site.check(ret=-1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (layer.checks, layer.violations, Counting.spent) == (400, 400, 400)
    assert (len(memory.violations), layer.suppressed) == (4, 796)
    assert layer.faults == {"exporter Broken: RuntimeError": 4}
    assert sorted(v.verdict for v in memory.violations) == ["failed"] * 3 + ["unbound"]


def test_layer_takes_what_another_one_counted(traced: Build) -> None:
    first, site, _ = traced("ret > 0")
    second, other, _ = traced("ret > 0")
    assert site.check(ret=1)
    assert other.check(ret=1)
    assert not other.check(ret=-1)
    first.take(second)
    assert first.checks == 3
