"""What decides on MLT-03 to MLT-05 natively: it lets through what holds, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.model import ModelTracer, TraceConfig, kv_cache, quantisation
from tracepact.model import logits as logits_trace
from tracepact.model.watching import watch_pass_end
from tracepact.tracing import ContractTracingLayer
from tracepact.types import Array, BrickId

native = pytest.importorskip("tracepact.core._native")

RANDOM = np.random.default_rng(0)


def rows(*shape: int) -> Array:
    return RANDOM.normal(size=shape).astype(np.float32)


class Token:
    """A token of which everything holds; tests break one thing."""

    def __init__(self) -> None:
        self.head, self.hidden = rows(50, 16), rows(1, 16)
        self.logits = self.hidden @ self.head.T
        self.norms = np.linalg.norm(self.head, axis=1).astype(np.float32)
        self.weight, self.x = rows(20, 32), rows(1, 32)
        self.product = self.x @ self.weight.T
        self.keys, self.values = np.zeros((2, 2, 3, 9, 4), np.float32)
        self.nonfinite, self.guard = np.zeros((2, 2), np.int64)
        self.layer, self.used, self.capacity = 1, 5, 8

    def later(self) -> list[Any]:
        inputs = {"x": self.hidden, "output_row_norms": self.norms}
        return [
            (BrickId.UpProjection, 3, {"x": self.x}, self.product),
            (BrickId.LmHead, None, inputs, self.logits),
        ]

    def cache(self) -> tuple[Any, ...]:
        place = self.layer, self.used, self.capacity
        return self.keys, self.values, *place, self.nonfinite, self.guard

    def sample(self) -> tuple[Array, int]:
        return self.weight[4:8], 4


@pytest.fixture
def tracer() -> ModelTracer:
    return ModelTracer(ContractTracingLayer(ContractRegistry.builtin(), []))


@pytest.fixture
def end(tracer: ModelTracer) -> Any:
    watched = watch_pass_end(tracer, 1e-4)
    assert watched is not None
    return watched[0]


def test_what_holds_is_described(end: Any, tracer: ModelTracer) -> None:
    token = Token()
    logits, error = end.look(token.later(), token.sample(), token.cache())
    found, tokens, share, norm, values = logits
    row = found.reshape(-1)
    assert values == tuple(row[list(tokens)].tolist())
    assert np.array_equal(row, token.logits[0])
    assert list(tokens) == list(np.argsort(-token.logits[0])[:5])
    assert norm == pytest.approx(np.linalg.norm(token.hidden))
    assert share == pytest.approx(np.max(np.abs(token.logits[0]) / token.norms) / norm)
    assert error[3] == pytest.approx(1)
    modules = logits_trace, quantisation, kv_cache
    conditions = [tracer.conditions(module.EQUATION) for module in modules]
    assert tracer.layer.checks == sum(map(len, conditions))


@pytest.mark.parametrize(
    "fault",
    [
        lambda t: t.logits.__setitem__((0, 7), 1e6),
        lambda t: t.logits.__setitem__((0, 7), np.nan),
        lambda t: t.hidden.fill(0),
        lambda t: t.product.__setitem__((0, 5), 99),
        lambda t: t.weight.__setitem__((5, 5), np.nan),
        lambda t: t.keys.__setitem__((1, 2, 4, 0), np.inf),
        lambda t: t.values.__setitem__((0, 0, 8, 0), 1),
        lambda t: t.nonfinite.__setitem__(0, 1),
        lambda t: t.guard.__setitem__(1, 1),
        lambda t: setattr(t, "used", 9),
    ],
)
def test_what_does_not_hold_is_left_to_python(end: Any, tracer: ModelTracer, fault: Any) -> None:
    token = Token()
    fault(token)
    assert end.look(token.later(), token.sample(), token.cache()) is None
    assert tracer.layer.checks == 0


@pytest.mark.parametrize(
    "strange",
    [
        lambda t: setattr(t, "norms", t.norms[:-1]),
        lambda t: setattr(t, "norms", t.norms.astype(np.float64)),
        lambda t: setattr(t, "norms", "none"),
        lambda t: setattr(t, "logits", None),
        lambda t: setattr(t, "logits", t.logits[0, 0]),
        lambda t: setattr(t, "hidden", np.float32(1)),
        lambda t: setattr(t, "hidden", np.stack((t.hidden, t.hidden))),
        lambda t: setattr(t, "weight", t.weight[:, :-1]),
        lambda t: setattr(t, "product", t.product[:, :6]),
        lambda t: setattr(t, "x", []),
        lambda t: setattr(t, "keys", t.keys[0]),
        lambda t: setattr(t, "layer", 2),
        lambda t: setattr(t, "used", "five"),
        lambda t: setattr(t, "capacity", 2**70),
    ],
)
def test_what_it_does_not_know_is_left_to_python(end: Any, strange: Any) -> None:
    token = Token()
    strange(token)
    assert end.look(token.later(), token.sample(), token.cache()) is None


@pytest.mark.parametrize(
    ("later", "sample", "cache"),
    [
        ([1], None, None),
        ([(BrickId.LmHead, None, None, None)], None, None),
        ([(BrickId.LmHead, None, {}, None)], None, None),
        (2 * Token().later(), None, None),
        (Token().later(), (), None),
        (Token().later(), (rows(4, 32), -1), None),
        ([], None, ()),
    ],
)
def test_entries_of_another_form_are_left_to_python(
    end: Any, later: Any, sample: Any, cache: Any
) -> None:
    assert end.look(later, sample, cache) is None


def test_vector_is_as_good_as_the_row_of_a_matrix(end: Any) -> None:
    token = Token()
    expected = end.look(token.later(), token.sample(), token.cache())
    token.logits, token.hidden = token.logits[0], token.hidden[-1]
    found = end.look(token.later(), token.sample(), token.cache())
    assert np.array_equal(found[0][0], expected[0][0].reshape(-1))
    assert found[0][1:] == expected[0][1:]
    assert found[1] == expected[1]


def test_nothing_to_look_at_is_nothing(end: Any) -> None:
    assert end.look([], None, None) == (None, None)
    with pytest.raises(TypeError, match="look"):
        end.look(())


def test_logits_that_nobody_wants_are_not_looked_at(tracer: ModelTracer) -> None:
    tracer.config = replace(TraceConfig.full(), logits=False)
    watched = watch_pass_end(tracer, 1e-4)
    assert watched is not None
    token = Token()
    token.logits.fill(np.nan)
    logits, error = watched[0].look(token.later(), token.sample(), token.cache())
    assert logits is None
    assert error is not None


def test_conditions_on_other_fields_are_left_to_python(tmp_path: Any) -> None:
    text = 'equations: {logit_bound: {formula: f, postconditions: ["entropy > 0"]}}\n'
    (tmp_path / "model-config-algebra-v1.yaml").write_text("metadata: {version: 1.0.0}\n" + text)
    layer = ContractTracingLayer(ContractRegistry.load(tmp_path), [])
    config = replace(TraceConfig.full(), quantisation=False, kv_cache=False)
    assert watch_pass_end(ModelTracer(layer, config), 1e-4) is None
    plan = layer.site("model-config-algebra-v1", "logit_bound").plan.native
    with pytest.raises(ValueError, match="entropy"):
        native.PassEnd(layer.native_state, "LmHead", 5, (plan, None, None), (1, 0, 0), 1e-4)
    with pytest.raises(TypeError, match="plan"):
        native.PassEnd(layer.native_state, "LmHead", 5, (1, None, None), (1, 0, 0), 1e-4)
