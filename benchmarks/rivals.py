"""Other ways to hold a number between 0 and 1, each a contestant with the same answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import floor
from benchmarks.harness import Statement, optional

SPAN = "with site(x=v) as s:\n    s.record(ret=v)"
CHECK = "site.check(x=v, ret=v)"
BAD = (1.5, -0.1, math.nan)


@dataclass(frozen=True)
class Contestant:
    """What is timed, and whether it lets a value pass; None where it checks nothing."""

    statement: Statement
    passes: Callable[[float], bool] | None = None

    def agrees(self) -> bool:
        """Whether it tells a good value from bad ones."""
        return self.passes is None or (self.passes(0.5) and not any(map(self.passes, BAD)))


def identity(v: float) -> float:
    """The kernel that decorators wrap."""
    return v


def call(function: Callable[[float], float], error: type[Exception] | None) -> Contestant:
    """A call of a function that raises `error` for a bad value."""

    def passes(v: float) -> bool:
        assert error is not None
        try:
            function(v)
        except error:
            return False
        return True

    return Contestant(Statement("f(v)", {"f": function, "v": 0.5}), passes if error else None)


def counting(
    statement: str, check: Callable[[float], Any], failed: Callable[[], int], **names: object
) -> Contestant:
    """Something that counts what failed."""

    def passes(v: float) -> bool:
        before = failed()
        check(v)
        return failed() == before

    return Contestant(Statement(statement, {"v": 0.5, **names}), passes)


def plain_assert() -> Contestant:
    """A wrapper in Python with an assert."""

    def wrapper(v: float) -> float:
        ret = identity(v)
        assert 0 <= ret <= 1
        return ret

    return call(wrapper, AssertionError)


def icontract() -> Contestant:
    """`icontract.ensure`."""
    library = optional("icontract")

    @library.ensure(lambda result: 0 <= result <= 1)
    def kernel(v: float) -> float:
        return v

    return call(kernel, library.ViolationError)


def icontract_both() -> Contestant:
    """`icontract.require` over `icontract.ensure`."""
    library = optional("icontract")

    @library.require(lambda v: 0 <= v <= 1)
    @library.ensure(lambda result: 0 <= result <= 1)
    def kernel(v: float) -> float:
        return v

    return call(kernel, library.ViolationError)


def deal() -> Contestant:
    """`deal.post`."""
    library = optional("deal")

    @library.post(lambda ret: 0 <= ret <= 1)
    def kernel(v: float) -> float:
        return v

    return call(kernel, library.PostContractError)


def deal_both() -> Contestant:
    """`deal.pre` over `deal.post`."""
    library = optional("deal")

    @library.pre(lambda v: 0 <= v <= 1)
    @library.post(lambda ret: 0 <= ret <= 1)
    def kernel(v: float) -> float:
        return v

    return call(kernel, library.ContractError)


def opentelemetry() -> Contestant:
    """A span of the OpenTelemetry SDK, and a processor that checks its attribute when it ends."""
    sdk = optional("opentelemetry.sdk.trace", "opentelemetry-sdk")
    processors: type[Any] = sdk.SpanProcessor

    class CheckingProcessor(processors):  # type: ignore[misc]
        failed = 0

        def on_end(self, span: Any) -> None:
            if not 0 <= span.attributes["ret"] <= 1:
                self.failed += 1

    processor = CheckingProcessor()
    provider = sdk.TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("benchmark")

    def check(v: float) -> None:
        with tracer.start_as_current_span("probability", attributes={"x": v}) as span:
            span.set_attribute("ret", v)

    return counting(
        "with tracer.start_as_current_span('probability', attributes={'x': v}) as span:\n"
        "    span.set_attribute('ret', v)",
        check,
        lambda: processor.failed,
        tracer=tracer,
    )


def least() -> dict[str, Contestant]:
    """What the forms cost in C with nothing behind them."""
    c = floor.load("span_floor")
    empty, ticks, clock = (kind("ret", 0.0, 1.0) for kind in (c.Empty, c.Ticks, c.Clock))
    wrapper = c.Ticks("ret", 0.0, 1.0, identity)

    def span(site: object) -> Contestant:
        def check(v: float) -> None:
            with site(x=v) as s:  # type: ignore[operator]
                s.record(ret=v)

        return counting(SPAN, check, lambda: site.failed, site=site)  # type: ignore[attr-defined]

    def one(method: str) -> Contestant:
        check = getattr(ticks, method)
        return Contestant(Statement(f"site.{method}(v)", {"site": ticks, "v": 0.5}), check)

    return {
        "with, does nothing": Contestant(Statement("with site: pass", {"site": empty})),
        "with call, does nothing": Contestant(Statement(SPAN, {"site": empty, "v": 0.5})),
        "span": span(ticks),
        "span, monotonic clock": span(clock),
        "check": Contestant(
            Statement(CHECK, {"site": ticks, "v": 0.5}), lambda v: ticks.check(x=v, ret=v)
        ),
        "check alone, METH_O": one("check_one"),
        "check alone, METH_FASTCALL": one("check_fast"),
        "decorated call": counting("f(v)", wrapper, lambda: wrapper.failed, f=wrapper),
        "brick": Contestant(
            Statement("start(b, 3)\nstop(b, 3)", {"start": ticks.start, "stop": ticks.stop, "b": 1})
        ),
    }
