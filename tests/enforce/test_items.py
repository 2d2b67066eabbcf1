"""Each item of a generator is checked, and all else that a generator does is as before."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.errors import ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy


@pytest.fixture
def memory() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture
def decorate(
    registry: Callable[..., ContractRegistry], memory: MemoryExporter
) -> Callable[..., Any]:
    def make(*post: str, pre: tuple[str, ...] = (), policy: Policy | None = None) -> Any:
        used = policy or Policy(keep_first=99)
        layer = ContractTracingLayer(registry(*post, pre=pre), [memory], used)
        return tp.contract("demo-kernel-v1", "demo", layer=layer, items=True)

    return make


def measured(memory: MemoryExporter) -> list[Any]:
    return [violation.measured["ret"] for violation in memory.violations]


def test_each_item_is_the_result(decorate: Callable[..., Any], memory: MemoryExporter) -> None:
    @decorate("ret < limit", pre=("limit > 0",))
    def count(limit: int) -> Generator[int, None, str]:
        yield from (limit - 1, limit, limit + 1)
        return "done"

    assert inspect.isgeneratorfunction(count)
    assert list(count(5)) == [4, 5, 6]
    assert measured(memory) == [5, 6]
    memory.violations.clear()
    counting = count(0)
    assert memory.violations == []
    next(counting)
    assert [v.expression for v in memory.violations] == ["limit > 0"]


def test_what_is_sent_thrown_and_returned_passes_through(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    closed = []

    @decorate("ret >= 0")
    def echo() -> Generator[int, int, str]:
        value = 0
        try:
            while value != 9:
                try:
                    value = yield value
                except KeyError:
                    value = -7
        finally:
            closed.append(value)
        return "done"

    echoing = echo()
    assert next(echoing) == 0
    assert echoing.send(3) == 3
    assert echoing.throw(KeyError()) == -7
    assert measured(memory) == [-7]
    with pytest.raises(StopIteration) as end:
        echoing.send(9)
    assert (end.value.value, closed) == ("done", [9])
    other = echo()
    next(other)
    other.close()
    assert closed == [9, 0]
    third = echo()
    next(third)
    with pytest.raises(ZeroDivisionError):
        third.throw(ZeroDivisionError())


def test_item_that_violates_is_raised_instead_of_yielded(decorate: Callable[..., Any]) -> None:
    closed = []

    @decorate("ret > 0", policy=Policy(mode=Mode.RAISE))
    def items() -> Generator[int, None, None]:
        try:
            yield 1
            yield -1
        finally:
            closed.append(True)

    found = []
    with pytest.raises(ContractViolation) as raised:
        found.extend(items())
    # At once, although the traceback still holds the generator.
    assert raised.value.__traceback__ is not None
    assert closed == [True]
    iterator = items()
    assert next(iterator) == 1


def test_sampling_decides_about_each_item(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("ret > 0", policy=Policy(sampler=EveryNth(3), keep_first=99))
    def items() -> Generator[int, None, None]:
        yield from range(-9, 0)

    assert list(items()) == list(range(-9, 0))
    assert measured(memory) == [-9, -6, -3]


def test_items_of_an_asynchronous_generator_are_checked(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("ret < limit", pre=("limit > 0",))
    async def count(limit: int) -> AsyncIterator[int]:
        for item in (limit - 1, limit):
            await asyncio.sleep(0)
            yield item

    async def collect() -> list[int]:
        return [item async for item in count(5)]

    assert inspect.isasyncgenfunction(count)
    assert asyncio.run(collect()) == [4, 5]
    assert measured(memory) == [5]


def test_asynchronous_generator_takes_what_is_sent_and_thrown(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    closed = []

    @decorate("ret >= 0")
    async def echo() -> Any:
        value = 0
        try:
            while value != 9:
                try:
                    value = yield value
                except KeyError:
                    value = -7
        finally:
            await asyncio.sleep(0)
            closed.append(value)

    async def use() -> None:
        echoing = echo()
        assert await anext(echoing) == 0
        assert await echoing.asend(3) == 3
        assert await echoing.athrow(KeyError()) == -7
        with pytest.raises(StopAsyncIteration):
            await echoing.asend(9)
        other = echo()
        await anext(other)
        await other.aclose()
        third = echo()
        await anext(third)
        with pytest.raises(ZeroDivisionError):
            await third.athrow(ZeroDivisionError())

    asyncio.run(use())
    assert measured(memory) == [-7]
    assert closed == [9, 0, 0]


def test_generators_of_classes_and_stacked_decorators(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    class Tokens:
        @decorate("ret < 2")
        @decorate("ret > 0")
        def each(self) -> Generator[int, None, None]:
            yield from (0, 1, 2)

        @classmethod
        @decorate("ret > 0")
        def of_class(cls) -> Generator[int, None, None]:
            yield -1

    assert list(Tokens().each()) == [0, 1, 2]
    assert list(Tokens.of_class()) == [-1]
    assert measured(memory) == [0, 2, -1]
