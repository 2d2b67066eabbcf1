"""FALSIFY-T3-003: `end_forward` checks that softmax rows sum to 1."""

from __future__ import annotations

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.exporters import MemoryExporter
from tracepact.model import ModelTracer
from tracepact.tracing import ContractTracingLayer
from tracepact.types import Array


def attention_weights() -> Array:
    scores = np.random.default_rng(0).normal(size=(4, 6, 6)).astype(np.float32)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def violations_of(weights: Array) -> list[str]:
    memory = MemoryExporter()
    tracer = ModelTracer(ContractTracingLayer(ContractRegistry.builtin(), [memory]))
    tracer.begin_forward(position=0)
    tracer.record_attention(3, weights)
    tracer.end_forward()
    return [f"{v.trace} {v.contract} layer {v.layer}: {v.obligation}" for v in memory.violations]


def claim() -> bool:
    """A row that sums to 0.93 is reported when the pass ends, a healthy one is not."""
    broken = attention_weights()
    broken[2, 4] *= 0.93
    return violations_of(attention_weights()) == [] and violations_of(broken) == [
        "MLT-02 softmax-kernel-v1 layer 3: Output sums to 1"
    ]


def test_model_tracer_softmax_postcondition() -> None:
    assert claim()


def test_claim_is_refuted_when_rows_are_not_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the mechanism: a core that takes every row's sum for 1."""
    monkeypatch.setattr(
        "tracepact.predicate.plan.row_reduce",
        lambda function, *operands: np.ones(operands[0].shape[:-1]),
    )
    assert not claim()


def test_claim_is_refuted_when_end_forward_reports_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break the mechanism: the pass ends without handing its findings to the layer."""
    monkeypatch.setattr(ContractTracingLayer, "report", lambda self, violations: None)
    assert not claim()
