"""A layer over one small contract, with a memory exporter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, Policy, Site, Violation


class Traced(NamedTuple):
    """What tests of tracing look at."""

    layer: ContractTracingLayer
    site: Site
    violations: list[Violation]


@pytest.fixture
def traced(registry: Callable[..., ContractRegistry], core: str) -> Callable[..., Traced]:
    """Layer and site for the conditions of one equation, of either core."""

    def build(
        *postconditions: str,
        policy: Policy | None = None,
        tolerance: float | None = None,
        pre: tuple[str, ...] = (),
        **site: Any,
    ) -> Traced:
        memory = MemoryExporter()
        loaded = registry(*postconditions, pre=pre, tolerance=tolerance)
        layer = ContractTracingLayer(loaded, [memory], policy or Policy())
        return Traced(layer, layer.site("demo-kernel-v1", "demo", **site), memory.violations)

    return build
