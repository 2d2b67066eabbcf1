"""Spans: fields, checks at close, nesting, and who sees which span."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tracepact.errors import ConfigError, ContractViolation
from tracepact.tracing import Context, EveryNth, Mode, Policy, Site, Span, current_span

Build = Callable[..., Any]


@pytest.fixture
def site(traced: Build) -> Site:
    return traced("ret > 0").site  # type: ignore[no-any-return]


def test_fields_are_checked_when_the_span_closes(traced: Build) -> None:
    _, site, violations = traced("ret <= max(x)")
    with site(x=np.array([1, 2])) as span:
        assert (span.status, span.duration_ns) == ("open", 0)
        span.record(ret=3, other=0)
        assert violations == []
    assert span.status == "violated"
    assert span.violations == violations
    assert violations[0].measured == {"max(x)": 2.0, "ret": 3.0, "min(ret)": 3.0, "max(ret)": 3.0}
    assert span.duration_ns > 0
    assert span.fields["other"] == 0


def test_span_without_violations_is_ok(site: Site) -> None:
    with site(ret=1) as span:
        pass
    assert (span.status, span.violations) == ("ok", [])


def test_later_record_of_a_name_replaces_an_earlier_one(site: Site) -> None:
    with site(ret=-1) as span:
        span.record(ret=-2)
        span.record(ret=1)
    assert span.status == "ok"


def test_span_names_its_contract_in_opentelemetry_terms(site: Site) -> None:
    assert site().attributes == {"contract.id": "demo-kernel-v1", "contract.equation": "demo"}


def test_span_can_be_placed_in_the_model(traced: Build) -> None:
    _, site, violations = traced("ret > 0")
    with site(ret=0) as span:
        span.place(Context(layer=2, step=9))
    assert (violations[0].layer, violations[0].step) == (2, 9)


@pytest.mark.parametrize("error", [ValueError("body"), KeyboardInterrupt(), SystemExit(3)])
def test_exception_of_the_body_passes_unchanged_and_nothing_is_checked(
    traced: Build, error: BaseException
) -> None:
    layer, site, violations = traced("ret > 0", policy=Policy(mode=Mode.RAISE))
    span = site(ret=-1)
    with pytest.raises(type(error)) as caught, span:
        raise error
    assert caught.value is error
    assert error.__context__ is None
    assert (span.status, span.violations) == ("error", [])
    assert (violations, layer.checks, current_span()) == ([], 0, None)


def test_raise_policy_raises_at_close(traced: Build) -> None:
    _, site, violations = traced("ret > 0", policy=Policy(mode=Mode.RAISE))
    span = site(ret=-1)
    with pytest.raises(ContractViolation), span:
        pass
    assert (span.status, span.violations) == ("violated", violations)
    assert current_span() is None


def test_span_that_is_not_sampled_does_nothing(traced: Build) -> None:
    layer, site, violations = traced("ret > 0", policy=Policy(sampler=EveryNth(2)))
    with site(ret=-1) as first, site(ret=-1) as second:
        second.record(ret=-5)
        second.place(Context(layer=1))
        assert current_span() is first
    assert (second.fields, second.status) == ({}, "open")
    assert (len(violations), layer.checks) == (1, 1)


def test_exception_passes_through_a_span_that_is_not_sampled(traced: Build) -> None:
    _, site, _ = traced("ret > 0", policy=Policy(mode=Mode.OFF))
    with pytest.raises(ValueError, match="body"), site(ret=-1):
        raise ValueError("body")


# -- the current span --------------------------------------------------------------------------


def test_innermost_open_span_is_current(site: Site) -> None:
    assert current_span() is None
    with site(ret=1) as outer:
        assert current_span() is outer
        with site(ret=1) as inner:
            assert current_span() is inner
            assert inner.parent is outer
        assert current_span() is outer
    assert current_span() is None
    assert outer.parent is None


def test_threads_see_their_own_spans(site: Site) -> None:
    seen: dict[str, bool] = {}
    barrier = threading.Barrier(3)

    def work(name: str) -> None:
        empty = current_span() is None
        with site(ret=1) as span:
            barrier.wait(timeout=10)
            seen[name] = empty and current_span() is span and span.parent is None
            barrier.wait(timeout=10)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    with site(ret=1) as mine:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert current_span() is mine
    assert seen == {"a": True, "b": True, "c": True}


def test_tasks_see_their_own_spans_below_that_of_their_creator(site: Site) -> None:
    async def work(outer: Span) -> bool:
        inherited = current_span() is outer
        with site(ret=1) as span:
            await asyncio.sleep(0)
            mine = current_span() is span
            await asyncio.sleep(0)
            return inherited and mine and span.parent is outer

    async def main() -> list[bool]:
        with site(ret=1) as outer:
            found = await asyncio.gather(*(work(outer) for _ in range(5)))
            assert current_span() is outer
        return found

    assert asyncio.run(main()) == [True] * 5


def steps(site: Site) -> Iterator[Span]:
    with site(ret=1) as span:
        yield span
        yield span


def test_generators_that_interleave_leave_no_closed_span_behind(site: Site) -> None:
    first, second = steps(site), steps(site)
    a, b = next(first), next(second)
    assert current_span() is b
    first.close()
    assert (a.status, current_span()) == ("error", b)
    list(second)
    assert (b.status, current_span()) == ("ok", None)


def test_generator_may_close_in_another_context(site: Site) -> None:
    """That context's own span stays; the one that opened it sees the span as closed."""
    generator = steps(site)
    with site(ret=1) as outer:
        context = contextvars.copy_context()
        inner = context.run(next, generator)
        assert current_span() is outer
        assert context.run(current_span) is inner
        generator.close()
        assert current_span() is outer
        assert context.run(current_span) is outer
    assert inner.status == "error"
    assert context.run(current_span) is None


def test_closed_span_keeps_no_array_alive(site: Site) -> None:
    array = np.ones(3)
    alive = weakref.ref(array)
    with site(ret=array) as span:
        assert current_span() is span
    del array, span
    gc.collect()
    assert alive() is None


def test_exporter_sees_the_span_around_the_one_that_closed(traced: Build) -> None:
    layer, site, _ = traced("ret > 0")
    seen = []

    class Spy:
        def export(self, violation: Any) -> None:
            seen.append(current_span())

        def close(self) -> None: ...

    layer.exporters.append(Spy())
    with site(ret=1) as outer, site(ret=0):
        pass
    assert seen == [outer]


def test_span_opens_once(traced: Build) -> None:
    _, site, _ = traced("ret > 0")
    span = site(ret=1)
    with span, pytest.raises(ConfigError, match="opens once"):
        span.__enter__()
