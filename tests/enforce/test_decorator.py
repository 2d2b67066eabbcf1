"""A decorated function is the function itself, checked."""

from __future__ import annotations

import abc
import asyncio
import copy
import functools
import gc
import inspect
import logging
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.core import using_core
from tracepact.enforce import Enforced, shared
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, EveryNth, Mode, Policy

Registry = Callable[..., ContractRegistry]


class Checked:
    """A layer over conditions, and the decorator that goes with it."""

    def __init__(self, registry: ContractRegistry, policy: Policy | None = None) -> None:
        self.memory = MemoryExporter()
        self.layer = ContractTracingLayer(registry, [self.memory], policy or Policy())

    def __call__(self, function: Any) -> Any:
        return tp.contract("demo-kernel-v1", "demo", layer=self.layer)(function)

    @property
    def expressions(self) -> list[str]:
        return [v.expression for v in self.memory.violations]


@pytest.fixture
def checked(registry: Registry) -> Callable[..., Checked]:
    return lambda *conditions, policy=None: Checked(registry(*conditions), policy)


def test_result_is_checked_against_parameters(checked: Callable[..., Checked]) -> None:
    contract = checked("ret >= x", "ret <= x + bias")

    @contract
    def add(x: float, bias: float = 1.0) -> float:
        return x + min(bias, 5.0)

    assert (add(1.0), add(1.0, 2.0), add(x=1.0, bias=0.5), add(2.0, bias=0.0)) == (2, 3, 1.5, 2)
    assert (contract.expressions, contract.layer.checks) == ([], 8)
    assert add(1.0, -1.0) == 0.0
    assert contract.expressions == ["ret >= x"]
    (violation,) = contract.memory.violations
    assert violation.measured["x"] == 1.0


def test_arrays_are_checked(checked: Callable[..., Checked]) -> None:
    contract = checked("all(isfinite(ret))", "shape(ret) == shape(x)")

    @contract
    def root(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.sqrt(x)

    root(np.ones(3))
    assert contract.expressions == []
    root(np.array([1.0, -1.0]))
    assert contract.expressions == ["all(isfinite(ret))"]
    assert contract.memory.violations[0].index == (1,)


def test_function_looks_like_itself(checked: Callable[..., Checked]) -> None:
    def kernel(x: float, /, y: int = 2, *rest: int, scale: float = 1.0, **more: int) -> float:
        """What it does."""
        return x

    kernel.mark = 7  # type: ignore[attr-defined]
    wrapped = checked("ret > 0")(kernel)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.mark) == ("kernel", "What it does.", 7)
    assert wrapped.__wrapped__ is kernel
    assert inspect.signature(wrapped) == inspect.signature(kernel)
    assert wrapped(1.0, 2, 3, 4, scale=2.0, other=5) == 1.0
    assert copy.copy(wrapped) is wrapped
    assert "kernel" in repr(wrapped)


def test_methods_class_methods_and_static_methods(checked: Callable[..., Checked]) -> None:
    contract = checked("ret > x")

    class Model:
        offset = 1

        @contract
        def own(self, x: int) -> int:
            return x + self.offset

        @classmethod
        @contract
        def of_class(cls, x: int) -> int:
            return x + cls.offset

        @staticmethod
        @contract
        def plain(x: int) -> int:
            return x - 1

    model = Model()
    assert (model.own(1), model.own(x=2), Model.own(model, 3)) == (2, 3, 4)
    assert (Model.of_class(1), model.of_class(x=1)) == (2, 2)
    assert contract.expressions == []
    assert model.plain(1) == 0
    assert contract.expressions == ["ret > x"]


def test_decorator_may_stand_above_class_method_and_static_method(
    checked: Callable[..., Checked],
) -> None:
    contract = checked("ret > x")

    class Model:
        @contract
        @classmethod
        def of_class(cls, x: int) -> int:
            return x

        @contract
        @staticmethod
        def plain(x: int) -> int:
            return x + 1

    assert (Model.of_class(1), Model().plain(1), Model.plain(x=2)) == (1, 2, 3)
    assert contract.expressions == ["ret > x"]
    assert isinstance(vars(Model)["of_class"], classmethod)
    assert isinstance(vars(Model)["plain"], staticmethod)


def test_what_is_no_function_is_refused_with_where_to_put_the_decorator(
    checked: Callable[..., Checked],
) -> None:
    with pytest.raises(ConfigError, match="a property is no function; put @contract below"):
        checked("ret > x")(property(lambda self: 1))
    with pytest.raises(ConfigError, match=r"Fraction is a class; put @contract on its methods"):
        checked("ret > x")(Fraction)
    with pytest.raises(ConfigError, match=r"max does not say what it takes .*; write a function"):
        checked("ret > x")(max)
    with pytest.raises(ConfigError, match="max does not say what it takes"):
        tp.requires("x > 0")(max)


def test_function_says_what_it_is_checked_against(checked: Callable[..., Checked]) -> None:
    contract = checked("ret >= x")

    @tp.contract("demo-kernel-v1", "demo", layer=contract.layer, bind={"x": "y"})
    @contract
    def kernel(x: int, y: int) -> int:
        return max(x, y)

    first = Enforced("demo-kernel-v1", "demo")
    second = Enforced("demo-kernel-v1", "demo", {"x": "y"})
    assert kernel.__tracepact__ == (first, second)
    assert kernel.__wrapped__.__tracepact__ == (first,)
    assert len({first, second}) == 2
    assert not hasattr(kernel.__wrapped__.__wrapped__, "__tracepact__")
    assert (kernel(1, 2), contract.layer.checks) == (2, 2)


def test_abstract_method_stays_abstract(checked: Callable[..., Checked]) -> None:
    class Model(abc.ABC):
        @checked("ret > x")
        @abc.abstractmethod
        def kernel(self, x: int) -> int: ...

    with pytest.raises(TypeError, match="abstract"):
        Model()  # type: ignore[abstract]


def test_tools_of_the_standard_library_take_a_checked_function(
    checked: Callable[..., Checked],
) -> None:
    contract = checked("ret >= x")

    class Model:
        @contract
        def of(self, x: int, y: int = 1) -> int:
            return x * y

        twice = functools.partialmethod(of, y=2)

    @functools.singledispatch
    @contract
    def kernel(x: Any) -> int:
        return 1

    @kernel.register
    @contract
    def _(x: int) -> int:
        return x + 1

    cached = functools.cache(contract(lambda x: x + 1))
    assert (Model().twice(2), kernel(2), cached(1), cached(1)) == (4, 3, 2, 2)
    assert inspect.isroutine(Model.of)
    assert list(map(contract(abs), [1, -2])) == [1, 2]
    assert contract.expressions == []


def test_coroutine_is_checked_when_it_ends(checked: Callable[..., Checked]) -> None:
    contract = checked("ret > x")

    @contract
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return -x

    assert inspect.iscoroutinefunction(later)
    assert asyncio.run(later(1)) == -1
    assert contract.expressions == ["ret > x"]


def test_exception_of_the_function_passes_unchanged(checked: Callable[..., Checked]) -> None:
    contract = checked("ret > 0")

    @contract
    def broken(x: int = 0) -> int:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken()
    with pytest.raises(TypeError, match="unexpected keyword"):
        broken(y=1)
    assert (contract.expressions, contract.layer.checks) == ([], 0)


def test_wrong_arguments_are_refused_by_the_function_itself(
    checked: Callable[..., Checked],
) -> None:
    @checked("ret == old(x)")
    def kernel(x: int) -> int:
        return x

    with pytest.raises(TypeError, match=r"kernel\(\) missing 1 required positional"):
        kernel()


def test_raise_policy_raises_instead_of_returning(checked: Callable[..., Checked]) -> None:
    @checked("ret > 0", policy=Policy(mode=Mode.RAISE))
    def kernel(x: int) -> int:
        return x

    assert kernel(1) == 1
    with pytest.raises(ContractViolation):
        kernel(-1)


def test_value_before_the_call_is_kept_where_the_contract_asks_for_it(
    checked: Callable[..., Checked],
) -> None:
    contract = checked("ret == old(x) * 2")

    @contract
    def double(x: Any) -> Any:
        x *= 2
        return x

    double(np.ones(3))
    assert contract.expressions == []


def test_off_returns_the_function_itself(checked: Callable[..., Checked]) -> None:
    def kernel(x: int) -> int:
        return x

    assert checked("ret > 0", policy=Policy(mode=Mode.OFF))(kernel) is kernel


def test_sampling_applies(checked: Callable[..., Checked]) -> None:
    contract = checked("ret > 0", policy=Policy(sampler=EveryNth(3), keep_first=99))

    @contract
    def kernel(x: int) -> int:
        return x

    assert [kernel(-1) for _ in range(6)] == [-1] * 6
    assert len(contract.expressions) == 2


def test_condition_on_a_name_that_is_no_parameter_is_refused(
    checked: Callable[..., Checked],
) -> None:
    def kernel(logits: int) -> int:
        return logits

    with pytest.raises(ConfigError, match=r"looks at 'x', which is no parameter of .*kernel"):
        checked("ret > x")(kernel)


def test_generator_is_refused_unless_its_items_are_meant(checked: Callable[..., Checked]) -> None:
    def items(x: int) -> Iterator[int]:
        yield x

    with pytest.raises(ConfigError, match="is a generator, .*; pass items=True"):
        checked("ret > 0")(items)
    with pytest.raises(ConfigError, match="is no generator; leave items=True out"):
        tp.contract("demo-kernel-v1", "demo", layer=checked("ret > 0").layer, items=True)(abs)


def test_unknown_contract_is_refused_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match="softmax-kernel-v1"):
        tp.contract("softmax-kernal-v1", "softmax")


def test_without_a_layer_the_shipped_contracts_and_the_log_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TRACEPACT", raising=False)
    monkeypatch.delenv("TRACEPACT_CONTRACTS", raising=False)
    shared.shared_layer.cache_clear()

    @tp.contract("softmax-kernel-v1", "softmax")
    def softmax(x: Any) -> Any:
        return x

    with caplog.at_level(logging.WARNING, "tracepact"):
        softmax(np.array([0.5, 0.5]))
        assert not caplog.records
        softmax(np.array([0.5, 0.4]))
    assert "Output sums to 1" in caplog.text
    shared.shared_layer.cache_clear()


def test_environment_names_the_contracts(
    monkeypatch: pytest.MonkeyPatch, write_contract: Callable[..., Any]
) -> None:
    monkeypatch.setenv("TRACEPACT_CONTRACTS", str(write_contract("ret > 0").parent))
    shared.shared_layer.cache_clear()
    assert tp.contract("demo-kernel-v1", "demo")(abs)(-2) == 2
    # What ships with tracepact is decorated with contracts that ship with it.
    assert tp.contract("softmax-kernel-v1", "softmax")(lambda x: x)([1.0]) == [1.0]
    with pytest.raises(ConfigError, match="unknown contract 'demo-kernel-v2'; did you mean 'demo"):
        tp.contract("demo-kernel-v2", "demo")
    shared.shared_layer.cache_clear()


def test_checked_function_is_collected_with_what_it_refers_to(
    checked: Callable[..., Checked],
) -> None:
    class Owner:
        pass

    owner = Owner()

    def kernel(x: Any = owner) -> int:
        return 1

    owner.kernel = checked("ret > 0")(kernel)  # type: ignore[attr-defined]
    alive = weakref.ref(owner)
    del owner, kernel
    gc.collect()
    assert alive() is None


def test_keywords_made_at_run_time_reach_their_parameter(checked: Callable[..., Checked]) -> None:
    contract = checked("length >= 0")

    @contract
    def g(length: float = 1.0) -> float:
        return length

    key = str(bytearray(b"length"), "ascii")
    g(**{key: -1.0})
    assert contract.expressions == ["length >= 0"]


def test_keyword_is_not_taken_for_a_parameter_given_by_position(
    checked: Callable[..., Checked],
) -> None:
    contract = checked("x >= 0")

    @contract
    def f(x: float, /, **more: float) -> float:
        return x

    f(-1.0, x=1.0)
    assert contract.expressions == ["x >= 0"]


def test_keyword_is_not_taken_for_all_keywords(checked: Callable[..., Checked]) -> None:
    contract = checked("more >= 0")

    @contract
    def f(**more: Any) -> None:
        return None

    f(more=1.0)
    assert contract.layer.checks == 0


def test_layer_of_the_python_core_serves_under_the_native_one(
    registry: Registry,
) -> None:
    with using_core("python"):
        contract = Checked(registry("ret > x"))
    wrapped = contract(lambda x: x)
    assert wrapped(1) == 1
    assert contract.expressions == ["ret > x"]
