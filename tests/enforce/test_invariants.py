"""What holds of an object is checked whenever somebody leaves it."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy


class Found:
    """A layer without contracts, and what it found."""

    def __init__(self, mode: Mode = Mode.LOG) -> None:
        self.memory = MemoryExporter()
        policy = Policy(mode=mode, keep_first=99)
        self.layer = ContractTracingLayer(ContractRegistry(), [self.memory], policy)

    def take(self) -> list[str]:
        texts = [f"{v.kind} {v.verdict}: {v.expression}" for v in self.memory.violations]
        self.memory.violations.clear()
        return texts


BROKEN = ["invariant failed: 0 <= size <= capacity"]


@pytest.fixture
def found() -> Found:
    return Found()


def buffer_class(found: Found) -> Any:
    @tp.invariant("0 <= size <= capacity", layer=found.layer)
    class Buffer:
        """Holds numbers."""

        def __init__(self, size: int, capacity: int = 2) -> None:
            self.size = size
            self.grow(capacity)

        def grow(self, capacity: int) -> None:
            """Change the capacity."""
            self.capacity = capacity

        def swap(self) -> None:
            self.size, keep = 99, self.size
            self.grow(self.capacity)
            self.size = keep

        def refuse(self) -> None:
            self.size = 99
            raise KeyError

        def _private(self) -> None:
            self.size = 99

        @property
        def filled(self) -> int:
            return self.size

        @filled.setter
        def filled(self, size: int) -> None:
            self.size = size

        @filled.deleter
        def filled(self) -> None:
            self.size = -1

        def __setitem__(self, key: int, value: int) -> None:
            self.size = value

        @classmethod
        def of(cls, size: int) -> Any:
            return cls(size)

        @staticmethod
        def plain() -> int:
            return 1

        async def later(self, size: int) -> None:
            await asyncio.sleep(0)
            self.size = size

        async def much_later(self, size: int) -> None:
            await self.later(99)
            self.size = size

        def items(self) -> Iterator[int]:
            yield self.size

    return Buffer


def test_object_is_checked_after_it_is_made_and_after_public_methods(found: Found) -> None:
    buffer = buffer_class(found)(1)
    buffer.grow(3)
    assert (found.take(), found.layer.checks) == ([], 2)
    buffer.grow(0)
    assert found.take() == BROKEN
    buffer_class(found)(3)
    assert found.take() == BROKEN
    buffer.grow(9)
    buffer.filled = 10
    assert found.take() == BROKEN
    buffer.filled = 1
    del buffer.filled
    assert found.take() == BROKEN
    buffer[0] = 11
    assert found.take() == BROKEN

    async def twice() -> None:
        await buffer.later(12)
        buffer.grow(9)
        await buffer.much_later(2)

    asyncio.run(twice())
    assert found.take() == BROKEN * 2
    buffer_class(found).of(5)
    assert found.take() == BROKEN


def test_violation_says_class_values_and_place(found: Found) -> None:
    buffer_class(found)(3)
    (violation,) = found.memory.violations
    assert violation.contract == __name__
    assert violation.equation.endswith("Buffer")
    assert violation.measured == {"size": 3, "capacity": 2} | violation.measured
    assert violation.source.file == violation.location.file == __file__
    assert "contract invariant violated" in violation.message


def test_inside_of_a_method_an_invariant_need_not_hold(found: Found) -> None:
    buffer = buffer_class(found)(1)
    checks = found.layer.checks
    buffer.swap()
    assert (found.take(), found.layer.checks) == ([], checks + 1)


def test_another_object_is_checked_inside_of_a_method(found: Found) -> None:
    Buffer = buffer_class(found)  # noqa: N806

    @tp.invariant(lambda self: True, layer=found.layer)
    class Owner:
        def spoil(self, buffer: Any) -> None:
            buffer.grow(0)
            assert len(found.memory.violations) == 1

    Owner().spoil(Buffer(1))
    assert found.take() == BROKEN


def test_method_that_raises_is_not_checked_and_leaves_no_trace(found: Found) -> None:
    buffer = buffer_class(found)(1)
    with pytest.raises(KeyError):
        buffer.refuse()
    assert found.take() == []
    buffer.grow(1)
    assert found.take() == BROKEN


def test_what_is_not_public_is_left_alone(found: Found) -> None:
    buffer = buffer_class(found)(1)
    buffer._private()
    assert (list(buffer.items()), buffer.plain(), buffer.filled) == ([99], 1, 99)
    assert found.take() == []


def test_class_keeps_its_looks(found: Found) -> None:
    Buffer = buffer_class(found)  # noqa: N806
    assert Buffer.__doc__ == "Holds numbers."
    assert Buffer.grow.__doc__ == "Change the capacity."
    assert str(inspect.signature(Buffer)) == "(size: 'int', capacity: 'int' = 2) -> 'None'"
    assert inspect.iscoroutinefunction(Buffer.later)
    assert isinstance(vars(Buffer)["of"], classmethod)
    assert isinstance(vars(Buffer)["plain"], staticmethod)
    assert copy.copy(Buffer(1)).size == 1


def test_lambdas_take_self_or_attributes(found: Found) -> None:
    @tp.invariant(lambda self: len(self.items) <= self.limit, lambda items: 7 not in items,
                  lambda self: self.missing, lambda lost: lost, "gone > 0",
                  layer=found.layer)  # fmt: skip
    @dataclass
    class Bag:
        items: list[int] = field(default_factory=list)
        limit: int = 1

        def add(self, item: int) -> None:
            self.items.append(item)

    bag = Bag()
    # What cannot be tested is said once.
    assert found.take() == [
        "invariant unbound: gone > 0", "invariant error: self.missing", "invariant unbound: lost",
    ]  # fmt: skip
    bag.add(7)
    assert found.take() == ["invariant failed: 7 not in items"]
    bag.add(8)
    assert "invariant failed: len(self.items) <= self.limit" in found.take()


def test_attribute_that_raises_is_a_fault_and_not_an_exception(found: Found) -> None:
    @tp.invariant("size > 0", layer=found.layer)
    class Odd:
        def use(self) -> None: ...

        @property
        def size(self) -> int:
            raise RuntimeError("no size")

    Odd().use()
    assert found.take() == ["invariant unbound: size > 0"]
    assert [fault.partition(" for ")[0] for fault in found.layer.faults] == ["attribute 'size'"]


def test_methods_of_bases_are_checked(found: Found) -> None:
    @tp.invariant("len(self_list) <= 2", layer=found.layer)
    class Short(list[int]):
        @property
        def self_list(self) -> list[int]:
            return list(self)

    short = Short([1])
    short.append(2)
    assert found.take() == []
    short.append(3)
    assert found.take() == ["invariant failed: len(self_list) <= 2"]
    assert list.append is not Short.append


def test_class_methods_of_built_in_bases_are_left_alone(found: Found) -> None:
    @tp.invariant(lambda self: len(self) < 2, layer=found.layer)
    class Names(dict[str, int]):
        pass

    assert Names.fromkeys("a", 1) == {"a": 1}
    assert found.take() == []


def test_cached_method_keeps_its_cache(found: Found) -> None:
    @tp.invariant("calls == 1", layer=found.layer)
    class Once:
        calls = 0

        @functools.cache  # noqa: B019 - kept as long as the test
        def load(self) -> int:
            self.calls += 1
            return self.calls

    once = Once()
    assert (once.load(), once.load(), found.take()) == (1, 1, [])
    assert Once.load.cache_info().hits == 1


def test_task_that_outlives_the_method_that_made_it_is_outside_of_it(found: Found) -> None:
    @tp.invariant("size <= 1", layer=found.layer)
    class Queue:
        def __init__(self) -> None:
            self.size = 1

        def start(self) -> asyncio.Task[None]:
            return asyncio.create_task(self._work())

        async def _work(self) -> None:
            self.add()

        def add(self) -> None:
            self.size += 1

    async def main() -> None:
        await Queue().start()

    asyncio.run(main())
    assert found.take() == ["invariant failed: size <= 1"]


def test_invariants_of_bases_and_several_decorators_all_count(found: Found) -> None:
    @tp.invariant("size >= 0", layer=found.layer)
    @tp.invariant("size != 5", layer=found.layer)
    class Base:
        def __init__(self, size: int = 1) -> None:
            self.size = size

        def put(self, size: int) -> None:
            self.size = size

    @tp.invariant("size != 7", layer=found.layer)
    class Derived(Base):
        def double(self) -> None:
            self.size *= 2

    class Free(Base):
        pass

    derived = Derived(7)
    assert found.take() == ["invariant failed: size != 7"]
    derived.put(5)
    derived.put(7)
    derived.put(-1)
    derived.double()
    assert [text[18:] for text in found.take()] == [
        "size != 5", "size != 7", "size >= 0", "size >= 0",
    ]  # fmt: skip
    checks = found.layer.checks
    Free().put(-1)
    assert found.take() == ["invariant failed: size >= 0"]
    assert found.layer.checks == checks + 4


def test_sampling_applies() -> None:
    found = Found()
    found.layer = ContractTracingLayer(
        ContractRegistry(), [found.memory], Policy(sampler=EveryNth(3), keep_first=99)
    )
    buffer = buffer_class(found)(1)
    for _ in range(6):
        buffer.grow(0)
    assert len(found.take()) == 2


def test_raise_reaches_who_called_the_method() -> None:
    raising = Found(Mode.RAISE)
    buffer = buffer_class(raising)(1)
    with pytest.raises(ContractViolation, match="invariant violated"):
        buffer.grow(0)
    with pytest.raises(ContractViolation, match="invariant violated"):
        buffer.grow(0)


def test_objects_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(3))).size == 3


@tp.invariant("size > 0")
class Pickled:
    def __init__(self, size: int) -> None:
        self.size = size


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (("size > ",), "test_invariants.py:[0-9]+: "),
        (("size == old(size)",), "so there is no old value"),
        ((), r"@invariant\(\) states nothing"),
    ],
)
def test_mistakes_are_refused_with_what_to_do(stated: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tp.invariant(*stated)(Found)


def test_function_is_refused(found: Found) -> None:
    with pytest.raises(ConfigError, match="is no class; use @requires and @ensures"):
        tp.invariant("size > 0")(lambda: 1)
