"""Preconditions are checked before the body, postconditions behind it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.errors import ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy, TimeBudget


class Decorator:
    """`tp.contract` for given conditions, and what it found."""

    def __init__(self, registry: ContractRegistry, policy: Policy) -> None:
        self.memory = MemoryExporter()
        self.layer = ContractTracingLayer(registry, [self.memory], policy)

    def __call__(self, function: Any) -> Any:
        return tp.contract("demo-kernel-v1", "demo", layer=self.layer)(function)

    @property
    def found(self) -> list[tuple[str, str]]:
        return [(v.kind, v.expression) for v in self.memory.violations]


@pytest.fixture
def checked(registry: Callable[..., ContractRegistry]) -> Callable[..., Decorator]:
    def make(*post: str, pre: tuple[str, ...], policy: Policy | None = None) -> Decorator:
        return Decorator(registry(*post, pre=pre), policy or Policy(keep_first=99))

    return make


def test_precondition_is_reported_before_the_body_runs(checked: Callable[..., Decorator]) -> None:
    contract = checked("ret > 0", pre=("x > 0", "scale < 3"))
    seen: list[int] = []

    @contract
    def kernel(x: int, scale: int = 1) -> int:
        seen.append(len(contract.memory.violations))
        return x * scale

    assert (kernel(1), kernel(1, 2), kernel(x=1, scale=2), kernel(2, scale=1)) == (1, 2, 2, 2)
    assert contract.found == []
    kernel(-1, 3)
    assert contract.found == [
        ("precondition", "x > 0"),
        ("precondition", "scale < 3"),
        ("postcondition", "ret > 0"),
    ]
    assert seen == [0, 0, 0, 0, 2]
    assert contract.layer.checks == 5 * 3


def test_body_does_not_run_where_a_precondition_is_raised(
    checked: Callable[..., Decorator],
) -> None:
    contract = checked("ret > 0", pre=("x > 0",), policy=Policy(mode=Mode.RAISE))
    ran = []

    @contract
    def kernel(x: int) -> int:
        ran.append(x)
        return x

    assert kernel(1) == 1
    with pytest.raises(ContractViolation, match="contract precondition violated"):
        kernel(-1)
    with pytest.raises(ContractViolation, match="contract precondition violated"):
        kernel(x=-1)
    assert ran == [1]


def test_arrays_are_checked_as_they_are_at_entry(checked: Callable[..., Decorator]) -> None:
    contract = checked("all(x == 2)", pre=("all(x == 1)", "x == old(x)"))

    @contract
    def kernel(x: Any) -> None:
        x *= 2

    kernel(np.ones(3))
    assert contract.found == []
    kernel(np.full(3, 2.0))
    assert contract.found == [("precondition", "all(x == 1)"), ("postcondition", "all(x == 2)")]
    assert contract.memory.violations[0].index == (0,)


def test_precondition_on_the_result_is_checked_when_there_is_one(
    checked: Callable[..., Decorator],
) -> None:
    contract = checked("ret > 0", pre=("ret != x", "x > 0"))

    @contract
    def kernel(x: int) -> int:
        return x + 1

    kernel(1)
    assert (contract.found, contract.layer.checks) == ([], 3)


def test_only_preconditions_suffice(checked: Callable[..., Decorator]) -> None:
    contract = checked(pre=("x > 0",))

    @contract
    def kernel(x: int) -> str:
        return "no number"

    assert (kernel(1), kernel(-1)) == ("no number", "no number")
    assert contract.found == [("precondition", "x > 0")]


def test_equation_without_conditions_checks_nothing(checked: Callable[..., Decorator]) -> None:
    contract = checked(pre=())
    wrapped = contract(lambda x: x)
    assert wrapped(1) == 1
    assert contract.layer.checks == 0
    assert len(wrapped.__tracepact__) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((-1, 2, 3), {}), ((-1,), {"x": 1}), ((-1,), {"z": 1}), ((), {"y": 2})],
)
def test_call_that_does_not_fit_is_left_to_the_function(
    checked: Callable[..., Decorator], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    contract = checked(pre=("x > 0", "y != 2"))

    @contract
    def kernel(x: int, y: int = 1) -> int:
        return x

    with pytest.raises(TypeError, match=r"kernel\(\)"):
        kernel(*args, **kwargs)
    assert contract.found == []


def test_further_arguments_do_not_disturb(checked: Callable[..., Decorator]) -> None:
    contract = checked(pre=("x > 0", "scale > 0"))

    @contract
    def kernel(x: int, /, *rest: int, scale: int = 1, **more: int) -> int:
        return x

    kernel(1, -5, -6, other=-1, x=-1)
    assert contract.found == []
    kernel(-1, -5, scale=-1, other=1)
    assert [expression for _, expression in contract.found] == ["x > 0", "scale > 0"]


def test_one_decision_covers_both_ends_of_a_call(checked: Callable[..., Decorator]) -> None:
    contract = checked("ret > 0", pre=("x > 0",), policy=Policy(sampler=EveryNth(3), keep_first=99))

    @contract
    def kernel(x: int) -> int:
        if x == -2:
            raise KeyError(x)
        return x

    for x in (-1, -2, -1, -1, -1, -1):
        try:
            kernel(x)
        except KeyError:
            continue
    assert [kind for kind, _ in contract.found] == ["precondition", "postcondition"] * 2

    @contract
    async def later(x: int) -> int:
        return x

    assert [asyncio.run(later(-1)) for _ in range(3)] == [-1] * 3
    assert len(contract.found) == 6


def test_sampler_of_ones_own_is_asked_once_a_call(checked: Callable[..., Decorator]) -> None:
    class Counting(TimeBudget):
        asked = 0

        def admit(self, caller: Any = None) -> bool:
            self.asked += 1
            return True

    sampler = Counting(1.0)
    contract = checked("ret > 0", pre=("x > 0",), policy=Policy(sampler=sampler, keep_first=99))
    wrapped = contract(lambda x: x)
    wrapped(1)
    wrapped(-1)
    assert (sampler.asked, len(contract.found), contract.layer.checks) == (2, 2, 4)


def test_coroutine_checks_preconditions_when_it_starts(checked: Callable[..., Decorator]) -> None:
    contract = checked("ret > 0", pre=("x > 0",), policy=Policy(mode=Mode.RAISE))
    ran = []

    @contract
    async def kernel(x: int) -> int:
        ran.append(x)
        return x

    assert asyncio.run(kernel(1)) == 1
    with pytest.raises(ContractViolation, match="precondition"):
        asyncio.run(kernel(-1))
    assert ran == [1]


def test_value_before_the_call_goes_with_preconditions(checked: Callable[..., Decorator]) -> None:
    contract = checked("x == old(x) + 1", pre=("x == 1",))

    @contract
    def kernel(x: Any) -> None:
        x += 1

    kernel(np.ones(2))
    assert contract.found == []


def test_decorator_underneath_may_add_arguments(checked: Callable[..., Decorator]) -> None:
    contract = checked("ret > x", pre=("x > 0",))

    def injecting(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(x: int) -> Any:
            return function(x, 1)

        return wrapper

    @contract
    @injecting
    def kernel(x: int, client: int) -> int:
        return x - client

    assert kernel(3) == 2
    assert contract.found == [("postcondition", "ret > x")]
