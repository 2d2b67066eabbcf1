"""What only the native half can get wrong: references, reuse, collection, shutdown, threads."""

from __future__ import annotations

import contextvars
import gc
import statistics
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tracepact.errors import ContractViolation
from tracepact.tracing import Mode, Policy, Site, Span, current_span

Build = Callable[..., Any]


@pytest.fixture(params=["native"])
def core(request: pytest.FixtureRequest) -> Any:
    """The native core only."""
    from tracepact.core import native_core, using_core  # noqa: PLC0415

    with using_core("native"):
        assert native_core() is not None
        yield request.param


def blocks_after(work: Callable[[int], None]) -> int:
    """Memory blocks that ten thousand rounds leave behind; a leak does so every time."""

    def growth() -> int:
        gc.collect()
        before = sys.getallocatedblocks()
        work(10_000)
        gc.collect()
        return sys.getallocatedblocks() - before

    return min(growth() for _ in range(5))


def test_spans_and_checks_leave_no_memory_behind(traced: Build) -> None:
    _, site, _ = traced("0 <= ret <= 1", "shape(x) == shape(y)")
    x = np.ones(3)

    def work(rounds: int) -> None:
        for i in range(rounds):
            with site(x=x, y=x, other=i) as span:
                span.record(ret=i / rounds, more=[])
            site.check(x=x, y=x, ret=0.5, other=None)

    assert blocks_after(work) < 50


def test_failing_spans_leave_no_memory_behind(traced: Build) -> None:
    _, site, violations = traced("ret > 0", policy=Policy(mode=Mode.RAISE, repeats_per_second=0))

    def work(rounds: int) -> None:
        for _ in range(rounds // 10):
            with pytest.raises(ContractViolation), site() as span:
                span.record(ret=-1)
            with pytest.raises(KeyError), site(ret=1):
                raise KeyError
        violations.clear()

    assert blocks_after(work) < 100


@pytest.mark.parametrize("ret", [1.5, -1.5, "text", None])
def test_references_to_fields_are_given_back(traced: Build, ret: object) -> None:
    _, site, violations = traced("ret > 0", "x > 0")
    value = 1e300 * 3.0

    def work() -> None:
        with site(x=value, other=value) as span:
            span.record(ret=ret)
            span.record(x=value)
        site.check(x=value, ret=ret)
        site.check_in(site.context, x=value)
        del span
        violations.clear()

    work()
    before = sys.getrefcount(value)
    for _ in range(100):
        work()
    assert sys.getrefcount(value) == before


def test_span_that_somebody_keeps_is_not_used_again(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    kept = []
    for i in range(100):
        with site(ret=i) as span:
            kept.append(span)
    assert [span.fields["ret"] for span in kept] == list(range(100))
    assert {span.status for span in kept} == {"ok"}


def test_used_span_starts_from_nothing(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    with site(ret=-1, other=2) as first:
        pass
    assert (first.status, len(first.violations)) == ("violated", 1)
    del first
    with site(ret=1) as second:
        assert (second.fields, second.violations, second.parent) == ({"ret": 1}, [], None)
        assert (second.status, second.duration_ns) == ("open", 0)


def test_fields_that_no_condition_reads_are_kept_too(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    names = [f"more{i}" for i in range(12)]
    with site(ret=1, **dict.fromkeys(names, 0)) as span:
        for i, name in enumerate(names):
            span.record(**{"".join(name): i})
    assert span.fields == {"ret": 1, **{name: i for i, name in enumerate(names)}}


def test_span_in_a_cycle_is_collected(traced: Build) -> None:
    class Owner:
        span: Span

    _, site, _ = traced("ret >= 0")
    owner = Owner()
    with site(ret=1, owner=owner) as owner.span:
        pass
    alive = weakref.ref(owner)
    del owner
    gc.collect()
    assert alive() is None


def test_site_and_layer_are_collected(traced: Build) -> None:
    layer, site, violations = traced("ret >= 0")
    with site(ret=1):
        pass
    alive = [weakref.ref(site), weakref.ref(layer)]
    del site, layer, violations
    gc.collect()
    assert [each() for each in alive] == [None, None]


def test_long_chain_of_nested_spans_is_freed(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    spans = [site(ret=1) for _ in range(50_000)]
    for span in spans:
        span.__enter__()
    for span in reversed(spans):
        span.__exit__(None, None, None)
    last = spans[-1]
    spans.clear()
    del span, last
    gc.collect()
    assert current_span() is None


def test_checks_of_several_threads_are_all_counted(traced: Build) -> None:
    layer, site, violations = traced("ret >= 0")

    def work() -> None:
        for i in range(20_000):
            with site(ret=i) as span:
                span.record(ret=i)
            site.check(ret=i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (layer.checks, violations) == (160_000, [])


def test_name_that_is_not_interned_is_the_same_name(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    name = "".join(["r", "e", "t"])
    assert site.check(**{name: 1})
    with site(**{name: 1}) as span:
        pass
    assert (span.fields, span.status) == ({"ret": 1}, "ok")


@pytest.mark.parametrize("call", ["site(1)", "site.check(1)", "span.record(1)", "site.check_in()"])
def test_positional_fields_are_refused(traced: Build, call: str) -> None:
    _, site, _ = traced("ret >= 0")
    with pytest.raises(TypeError):
        eval(call, {"site": site, "span": site(ret=1)})  # noqa: S307


def test_more_fields_than_the_native_half_holds_are_checked_all_the_same(traced: Build) -> None:
    names = [f"x{i}" for i in range(20)]
    _, site, violations = traced(" and ".join(f"{name} > 0" for name in names))
    assert site.check(**dict.fromkeys(names, 1))
    with site(**dict.fromkeys(names, 1)) as span:
        span.record(x19=-1)
    assert (span.status, len(violations)) == ("violated", 1)


def test_interpreter_ends_cleanly_with_an_open_span() -> None:
    program = (
        "import tracepact as tp\n"
        "layer = tp.ContractTracingLayer(tp.ContractRegistry.builtin())\n"
        "site = layer.site('softmax-kernel-v1', 'softmax')\n"
        "span = site(ret=1.0).__enter__()\n"
        "def forever():\n"
        "    with site(ret=1.0) as inner:\n"
        "        yield inner\n"
        "left = forever(); next(left)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_site_is_of_the_public_type(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    assert isinstance(site, Site)
    assert type(site).__name__ == "Site"


def test_site_without_its_initialiser_is_an_error_to_call(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    kind = type(site)
    with pytest.raises(RuntimeError, match="never initialised"):
        kind.__new__(kind)(ret=1.0)


def test_stack_of_spans_may_be_replaced_by_that_of_another_context(traced: Build) -> None:
    # As asgiref does, which carries variables from one context over to another.
    _, site, _ = traced("ret >= 0")

    def work() -> None:
        with site(ret=1.0):
            pass

    other = contextvars.copy_context()
    other.run(work)

    def carry_over() -> None:
        with site(ret=1.0) as outer:
            for variable, value in other.items():
                variable.set(value)
            gc.collect()
            filler = [[] for _ in range(1000)]
            with site(ret=2.0) as inner:
                assert current_span() is inner
                assert inner.parent is not outer
            del filler

    contextvars.Context().run(carry_over)


def test_finaliser_that_opens_a_span_while_one_opens_breaks_no_chain(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    left: list[Any] = []

    class Opens:
        def __del__(self) -> None:
            left.append(site(ret=3.0).__enter__())

    def work() -> None:
        outer = site(ret=1.0).__enter__()
        closed = site(ret=2.0, other=Opens()).__enter__()
        closed.status = "ok"
        del closed
        inner = site(ret=4.0).__enter__()
        assert len(left) == 1
        assert inner.parent is outer
        assert left[0].parent is inner
        left[0].__exit__(None, None, None)
        assert current_span() is inner
        inner.__exit__(None, None, None)
        assert current_span() is outer
        outer.__exit__(None, None, None)
        assert current_span() is None

    contextvars.Context().run(work)


def test_array_that_is_being_measured_is_kept_when_another_thread_records(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    freed_in_check: list[bool] = []

    for _ in range(10):
        span = site(ret=np.ones(4_000_000))
        gone = threading.Event()
        weakref.finalize(span.fields["ret"], gone.set)
        closed = threading.Event()
        entered = threading.Event()

        def replace(
            span: Any = span, gone: Any = gone, closed: Any = closed, entered: Any = entered
        ) -> None:
            entered.wait()
            span.record(ret=1.0)
            freed_in_check.append(gone.is_set() and not closed.is_set())

        thread = threading.Thread(target=replace)
        thread.start()
        with span:
            entered.set()
        closed.set()
        thread.join()
    assert not any(freed_in_check)


def test_long_chain_of_spans_that_are_fields_is_let_go(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")
    span = None
    for _ in range(300_000):
        span = site(ret=span)
    assert span is not None


@pytest.mark.parametrize("held_by", ["parent", "context", "violations"])
def test_span_of_numbers_in_a_cycle_is_collected(traced: Build, held_by: str) -> None:
    _, site, _ = traced("ret >= 0")

    class Owner:
        span: Any

    owner = Owner()
    gone = weakref.ref(owner)
    with site(ret=1.0) as outer, site(ret=1.0) as span:
        owner.span = span
        if held_by == "parent":
            outer.record(child=span, owner=owner)
    if held_by == "context":
        span = owner.span = site(ret=1.0)
        span.place(owner)
    elif held_by == "violations":
        span = owner.span = site(ret=1.0)
        span.violations.append(owner)
    del owner, outer, span
    gc.collect()
    assert gone() is None


def test_garbage_may_close_the_span_that_a_new_context_would_inherit(traced: Build) -> None:
    _, site, _ = traced("ret >= 0")

    def opened() -> Iterator[None]:
        with site(ret=1.0):
            yield

    def work() -> None:
        left = opened()
        next(left)
        cycle: list[Any] = [left]
        cycle.append(cycle)
        run = contextvars.copy_context().run
        span = site(ret=2.0)
        enter = span.__enter__
        before = gc.get_threshold()
        gc.disable()
        gc.set_threshold(1)
        room = [[] for _ in range(10)]  # the next allocation is one too many
        del left, cycle
        try:
            gc.enable()
            run(enter)
        finally:
            gc.set_threshold(*before)
        later = [site(ret=float(i)) for i in range(50)]
        assert span.parent is None
        assert all(each.parent is None for each in later)
        del room

    contextvars.Context().run(work)


# -- what checks cost -----------------------------------------------------------------------------


def test_checks_of_arrays_are_all_counted_however_few_are_timed(traced: Build) -> None:
    layer, site, violations = traced("ret >= 0", "ret <= 1")
    good, bad = np.ones(8), np.full(8, 2.0)
    for i in range(500):
        assert site.check(ret=bad if i % 50 == 49 else good) == (i % 50 != 49)
    assert layer.checks == 1000
    assert layer.violations == 10
    assert violations


def test_check_that_holds_stands_for_none_of_those_that_failed(
    traced: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, site, _ = traced("ret >= 0", policy=Policy(repeats_per_second=0))
    good, bad, now_ns = np.ones(8), -np.ones(8), time.perf_counter_ns
    monkeypatch.setattr("tracepact.tracing.site.time.perf_counter_ns", lambda: 0)
    for _ in range(2000):
        site.check(ret=bad)
    assert layer.check_ns == 0  # Python times what failed, by a clock that stands still
    start_ns = now_ns()
    site.check(ret=good)
    assert 0 < layer.check_ns <= 2 * (now_ns() - start_ns)


def test_some_checks_of_small_arrays_are_timed_and_stand_for_the_others(traced: Build) -> None:
    layer, site, _ = traced("ret >= 0", "abs(sum(ret) - 2000) <= 1e-3")
    values = np.ones(2000, np.float32)
    steps, calls_ns, rounds = [], [], 17 * 40
    for _ in range(rounds):
        before, start_ns = layer.check_ns, time.perf_counter_ns()
        site.check(ret=values)
        calls_ns.append(time.perf_counter_ns() - start_ns)
        if layer.check_ns != before:
            steps.append(layer.check_ns - before)
    assert len(steps) >= rounds // 17
    each_ns = statistics.median(steps) * len(steps) / rounds
    assert 0.1 <= each_ns / statistics.median(calls_ns) <= 2
