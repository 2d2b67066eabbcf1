"""Names in conditions are parameters, the result, or bound; mistakes say where and what is near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, Policy

Registry = Callable[..., ContractRegistry]


@pytest.fixture
def memory() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture
def decorate(registry: Registry, memory: MemoryExporter) -> Callable[..., Any]:
    """The decorator for a contract of these conditions."""

    def make(*conditions: str, pre: tuple[str, ...] = (), **options: Any) -> Any:
        layer = ContractTracingLayer(registry(*conditions, pre=pre), [memory], Policy())
        return tp.contract("demo-kernel-v1", "demo", layer=layer, **options)

    return make


def expressions(memory: MemoryExporter) -> list[str]:
    return [v.expression for v in memory.violations]


def test_unknown_name_is_refused_with_the_place_of_the_clause_and_what_is_near(
    decorate: Callable[..., Any],
) -> None:
    def kernel(weights: int, scale: int) -> int:
        return weights

    with pytest.raises(ConfigError) as refused:
        decorate("ret >= 0", "ret <= weigths", pre=("n > 0",))(kernel)
    first, second = str(refused.value).splitlines()
    assert "demo-kernel-v1.yaml:6:10: the precondition 'n > 0' of demo-kernel-v1/demo" in first
    assert "looks at 'n', which is no parameter of" in first
    assert "demo-kernel-v1.yaml:9:10: the postcondition 'ret <= weigths'" in second
    assert "kernel(weights, scale); did you mean 'weights'? known: ret, scale, weights" in second
    assert "bind={'weigths': …}" in second


def test_bind_says_which_parameter_a_name_stands_for(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("ret >= x", "old(x) <= 2", pre=("x > 0",), bind={"x": "logits"})
    def kernel(scale: int, logits: int = 1) -> int:
        return logits * scale

    assert kernel(1) == 1
    assert kernel(1, logits=2) == 2
    assert expressions(memory) == []
    kernel(0, 1)
    kernel(scale=1, logits=3)
    kernel(1, -1)
    assert expressions(memory) == ["ret >= x", "old(x) <= 2", "x > 0"]
    assert memory.violations[0].measured["x"] == 1.0


def test_a_bound_name_hides_a_parameter_of_that_name(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("ret == x", bind={"x": "y"})
    def kernel(x: int, y: int) -> int:
        return y

    kernel(1, 2)
    kernel(y=2, x=1)
    assert expressions(memory) == []


def test_result_may_be_a_parameter_and_another_name_the_result(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("all(isfinite(ret))", pre=("shape(ret) == shape(x)",), bind={"ret": "out"})
    def into(x: Any, out: Any) -> None:
        out.resize(x.shape, refcheck=False)
        out[:] = x

    @decorate("p <= 1", pre=("p != 7",), bind={"p": "ret"})
    def plain(x: int) -> int:
        return x

    into(np.ones(2), np.full(3, np.nan))
    plain(1)
    assert expressions(memory) == []
    into(np.array([1.0, np.nan]), np.ones(2))
    plain(7)
    assert expressions(memory) == ["all(isfinite(ret))", "p != 7", "p <= 1"]


def test_two_names_may_stand_for_one_parameter(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("a == b", bind={"a": "x", "b": "x"})
    def kernel(x: int) -> int:
        return x

    kernel(1)
    kernel(x=2)
    assert expressions(memory) == []


def test_bind_of_a_name_that_no_condition_has_is_refused(decorate: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"no condition looks at 'lenght'; did you mean 'length'"):
        decorate("ret >= length", bind={"lenght": "x"})(lambda x, length: x)


def test_bind_to_a_parameter_that_is_not_there_is_refused(decorate: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"has no parameter 'logit'; did you mean 'logits'"):
        decorate("ret >= x", bind={"x": "logit"})(lambda logits: logits)


def test_field_made_of_all_further_arguments_is_checked(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("sum(ret) == sum(rest)")
    def kernel(*rest: float) -> float:
        return sum(rest)

    kernel(1.0, 2.0)
    assert expressions(memory) == []


def test_function_of_many_parameters_is_checked(
    decorate: Callable[..., Any], memory: MemoryExporter
) -> None:
    @decorate("ret > r", pre=("a > 0",))
    def kernel(
        a: int = 1, b: int = 1, c: int = 1, d: int = 1, e: int = 1, f: int = 1, g: int = 1,
        h: int = 1, i: int = 1, j: int = 1, k: int = 1, m: int = 1, n: int = 1, o: int = 1,
        p: int = 1, q: int = 1, r: int = 1,
    ) -> int:  # fmt: skip
        return r

    kernel(0, r=1)
    assert expressions(memory) == ["a > 0", "ret > r"]
