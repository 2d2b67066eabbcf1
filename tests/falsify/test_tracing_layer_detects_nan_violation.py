"""FALSIFY-T3-001: the layer detects a NaN postcondition violation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.core import python as core
from tracepact.core import using_core
from tracepact.exporters import MemoryExporter
from tracepact.predicate import compile_plan, parse_predicate
from tracepact.tracing import ContractTracingLayer, Site
from tracepact.types import Array, FloatArray

Registry = Callable[..., ContractRegistry]


def claim(registry: ContractRegistry) -> bool:
    """A span that records one NaN among finite values is reported, a healthy one is not."""
    memory = MemoryExporter()
    site = ContractTracingLayer(registry, [memory]).site("demo-kernel-v1", "demo")
    broken: Array = np.zeros((4, 8), np.float32)
    broken[2, 5] = np.nan
    for ret in (np.zeros((4, 8), np.float32), broken):
        with site(x=np.zeros(8)) as span:
            span.record(ret=ret)
    return [(v.obligation, v.index) for v in memory.violations] == [("all(isfinite(ret))", (2, 5))]


def test_tracing_layer_detects_nan_violation(registry: Registry) -> None:
    assert claim(registry("all(isfinite(ret))"))


def test_claim_is_refuted_when_the_core_counts_no_nan(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break the mechanism: the core takes every NaN for a zero."""
    measure_chunk = core.measure_chunk

    def blind(x: FloatArray, wanted: core.Stat) -> core.TensorStats:
        return measure_chunk(np.where(np.isnan(x), 0.0, x), wanted)

    monkeypatch.setattr(core, "measure_chunk", blind)
    with using_core("python"):
        assert not claim(registry("all(isfinite(ret))"))


def test_claim_is_refuted_when_the_native_plan_passes_everything(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break the mechanism: the native core tests another condition than the one of the contract."""
    with using_core("native"):
        harmless = compile_plan([(parse_predicate("len(ret) >= 0").node, None)]).native
        monkeypatch.setattr("tracepact.predicate.plan._native_plan", lambda *_: harmless)
        assert not claim(registry("all(isfinite(ret))"))


def test_claim_is_refuted_when_closing_a_span_checks_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break the mechanism: a span closes without looking at its fields."""
    monkeypatch.setattr(Site, "examine", lambda self, fields, context: [])
    assert not claim(registry("all(isfinite(ret))"))


def test_claim_is_refuted_when_the_contract_does_not_say_so(registry: Registry) -> None:
    """Break the mechanism: what is not in the YAML is not checked."""
    assert not claim(registry("len(ret) == 4"))
