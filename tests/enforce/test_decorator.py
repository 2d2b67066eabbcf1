"""A decorated function is the function itself, checked."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import logging
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.enforce import decorator
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

    with pytest.raises(ConfigError, match=r"looks at 'x', but .*kernel\(logits: .*\) -> .* has no"):
        checked("ret > x")(kernel)


def test_generator_is_refused(checked: Callable[..., Checked]) -> None:
    def items(x: int) -> Iterator[int]:
        yield x

    with pytest.raises(ConfigError, match="is a generator; check each item"):
        checked("ret > 0")(items)


def test_unknown_contract_is_refused_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match="softmax-kernel-v1"):
        tp.contract("softmax-kernal-v1", "softmax")


def test_without_a_layer_the_shipped_contracts_and_the_log_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TRACEPACT", raising=False)
    monkeypatch.delenv("TRACEPACT_CONTRACTS", raising=False)
    decorator._shared_layer.cache_clear()

    @tp.contract("softmax-kernel-v1", "softmax")
    def softmax(x: Any) -> Any:
        return x

    with caplog.at_level(logging.WARNING, "tracepact"):
        softmax(np.array([0.5, 0.5]))
        assert not caplog.records
        softmax(np.array([0.5, 0.4]))
    assert "Output sums to 1" in caplog.text
    decorator._shared_layer.cache_clear()


def test_environment_names_the_contracts(
    monkeypatch: pytest.MonkeyPatch, write_contract: Callable[..., Any]
) -> None:
    monkeypatch.setenv("TRACEPACT_CONTRACTS", str(write_contract("ret > 0").parent))
    decorator._shared_layer.cache_clear()
    assert tp.contract("demo-kernel-v1", "demo")(abs)(-2) == 2
    decorator._shared_layer.cache_clear()


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
