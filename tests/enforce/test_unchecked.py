"""What is below the contracts of a function can be called by those who check by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.enforce import unchecked
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer


def test_every_decorator_is_taken_off(registry: Callable[..., ContractRegistry]) -> None:
    layer = ContractTracingLayer(registry("ret > 0"), [])

    def kernel(x: int) -> int:
        return x

    once = tp.contract("demo-kernel-v1", "demo", layer=layer)(kernel)
    twice = tp.contract("demo-kernel-v1", "demo", layer=layer)(once)
    assert unchecked(kernel) is unchecked(once) is unchecked(twice) is kernel


def test_bound_method_stays_bound(registry: Callable[..., ContractRegistry]) -> None:
    layer = ContractTracingLayer(registry("ret > 0"), [])

    class Model:
        offset = -5

        @tp.contract("demo-kernel-v1", "demo", layer=layer)
        def kernel(self, x: int) -> int:
            return x + self.offset

        def plain(self) -> int:
            return 1

    model = Model()
    bare = unchecked(model.kernel)
    assert (bare(1), bare.__self__, layer.checks) == (-4, model, 0)
    assert unchecked(model.plain)() == 1


def test_parameter_that_is_none_by_default_leaves_its_conditions_out(
    registry: Callable[..., ContractRegistry],
) -> None:
    memory = MemoryExporter()
    layer = ContractTracingLayer(registry("ret > 0", "ret > bias"), [memory])

    @tp.contract("demo-kernel-v1", "demo", layer=layer)
    def kernel(x: Any, bias: Any = None) -> Any:
        return x

    assert (kernel(1), kernel(-1), kernel(1, bias=2)) == (1, -1, 1)
    assert [v.expression for v in memory.violations] == ["ret > 0", "ret > bias"]


def test_parameter_that_has_to_be_given_is_missed(
    registry: Callable[..., ContractRegistry],
) -> None:
    memory = MemoryExporter()
    layer = ContractTracingLayer(registry("ret > bias"), [memory])

    @tp.contract("demo-kernel-v1", "demo", layer=layer)
    def kernel(x: Any, bias: Any) -> Any:
        return x

    kernel(1, None)
    assert [v.verdict for v in memory.violations] == ["unbound"]
