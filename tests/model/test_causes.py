"""Claims about first causes, sequences of a batch, and requests."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

import tracepact as tp
from tracepact.errors import ConfigError, ContractViolation
from tracepact.model import Batch, ModelTracer
from tracepact.types import Array
from tracepact.violation import Violation


class Traced:
    """A tracer over the shipped contracts that keeps what is exported."""

    def __init__(self) -> None:
        self.memory = tp.exporters.MemoryExporter()
        self.layer = tp.ContractTracingLayer(tp.ContractRegistry.builtin(), [self.memory])
        self.tracer = ModelTracer(self.layer)

    def forward(self, *values: Array, position: int = 0, batch: Batch | None = None) -> None:
        """One pass in which layer i gives out the i-th value."""
        self.tracer.begin_forward(position, batch)
        for layer, value in enumerate(values):
            self.tracer.record_activation(layer, "output", value)
        self.tracer.end_forward()

    def seen(self) -> list[tuple[int | None, str, int | None]]:
        return [(v.layer, v.role, v.batch) for v in self.memory.violations]


def clean(*shape: int) -> Array:
    return np.ones(shape or (2, 8), np.float32)


def broken(*index: int, shape: tuple[int, ...] = (2, 8)) -> Array:
    value = np.ones(shape, np.float32)
    value[index or (1, 3)] = np.nan
    return value


def test_first_in_order_of_execution_is_the_root_and_says_how_many_followed() -> None:
    traced = Traced()
    traced.forward(clean(), broken(), broken(), broken())
    assert traced.seen() == [(1, "root", None), (2, "consequence", None), (3, "consequence", None)]
    root, *followed = traced.memory.violations
    assert root.consequences == 2
    assert "2 consequences" in root.message
    assert {v.cause for v in followed} == {root.place}


def test_traces_of_a_pass_have_the_roles_too() -> None:
    traced = Traced()
    traced.forward(broken(), broken())
    assert [v.role for v in traced.tracer.last.violations] == ["root", "consequence"]


def test_what_is_not_finite_goes_on_in_later_passes_of_the_sequence() -> None:
    traced = Traced()
    traced.forward(clean(), broken())
    traced.forward(broken(), position=2)
    traced.forward(broken(), position=3)
    assert traced.seen() == [(1, "root", None), (0, "consequence", None), (0, "consequence", None)]


def test_clean_pass_ends_what_was_going_on() -> None:
    traced = Traced()
    traced.forward(broken())
    traced.forward(clean(), position=2)
    traced.forward(broken(), position=3)
    assert [role for _, role, _ in traced.seen()] == ["root", "root"]


def test_new_sequence_has_a_root_of_its_own() -> None:
    traced = Traced()
    traced.forward(broken())
    traced.forward(broken())  # from the first position again
    assert [role for _, role, _ in traced.seen()] == ["root", "root"]


def test_fault_that_stays_finite_does_not_explain_the_next_pass() -> None:
    traced = Traced()
    for position in (0, 1):
        traced.tracer.begin_forward(position)
        traced.tracer.record_attention(0, np.full((1, 1, 4), 0.2, np.float32))
        traced.tracer.end_forward()
    assert [role for _, role, _ in traced.seen()] == ["root", "root"]


def test_sequences_of_a_batch_have_their_own_roots() -> None:
    traced = Traced()
    first, both = broken(2, 0, 1, shape=(4, 3, 8)), broken(2, 0, 1, shape=(4, 3, 8))
    traced.forward(first, both, batch=Batch(4, 3))
    other = broken(0, 2, 2, shape=(4, 3, 8))
    traced.forward(other, batch=Batch(4, 3))
    assert traced.seen() == [(0, "root", 2), (1, "consequence", 2), (0, "root", 0)]


def test_rows_without_padding_are_traced_back_to_their_sequence() -> None:
    rows = np.array([0, 0, 1, 3, 3, 3])
    traced = Traced()
    traced.forward(broken(4, 0, shape=(6, 8)), batch=Batch(4, 3, rows))
    assert traced.seen() == [(0, "root", 3)]


def test_attention_rows_behind_heads_are_traced_back_to_their_sequence() -> None:
    weights = np.full((2, 6, 4), 0.25, np.float32)  # heads, sequences · tokens, keys
    weights[1, 5] *= 0.93
    traced = Traced()
    traced.tracer.begin_forward(0, Batch(2, 3))
    traced.tracer.record_attention(0, weights)
    traced.tracer.end_forward()
    assert traced.seen() == [(0, "root", 1)]


def test_requests_are_named_by_sequence() -> None:
    traced = Traced()
    with tp.request(["a", "b"]):
        traced.forward(broken(1, 0, 0, shape=(2, 1, 8)), batch=Batch(2, 1))
    assert traced.memory.violations[0].request == "b"
    assert "request b" in traced.memory.violations[0].message


def test_one_id_is_for_every_sequence() -> None:
    traced = Traced()
    with tp.request("a"):
        traced.forward(broken())
    traced.forward(broken())
    assert [v.request for v in traced.memory.violations] == ["a", None]


def test_request_may_raise_under_a_policy_that_logs() -> None:
    traced = Traced()
    with (
        tp.request("req-17", on_violation="raise"),
        pytest.raises(ContractViolation, match="req-17") as caught,
    ):
        traced.forward(broken())
    assert caught.value.violation.role == "root"
    assert len(traced.memory.violations) == 1  # it was exported before
    traced.forward(broken())  # outside of the block nothing is raised


def test_request_may_be_called_back_root_first() -> None:
    traced = Traced()
    calls: list[Sequence[Violation]] = []
    with tp.request("a", on_violation=calls.append):
        traced.forward(clean())
        traced.forward(broken(), broken(), position=2)
    assert [[v.role for v in call] for call in calls] == [["root", "consequence"]]


def test_fault_in_a_callback_is_counted_and_never_reaches_the_model() -> None:
    traced = Traced()

    def fail(found: Sequence[Violation]) -> None:
        raise ZeroDivisionError

    with tp.request("a", on_violation=fail):
        traced.forward(broken())
    assert dict(traced.layer.faults) == {"on_violation: ZeroDivisionError": 1}


def test_threads_have_their_own_requests() -> None:
    traced = Traced()
    both = threading.Barrier(2)

    def serve(name: str) -> None:
        with tp.request(name):
            both.wait()
            traced.forward(broken())

    threads = [threading.Thread(target=serve, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {v.request for v in traced.memory.violations} == {"a", "b"}


@pytest.mark.parametrize("ids", [[], ()])
def test_request_without_an_id_is_refused(ids: Sequence[str]) -> None:
    with pytest.raises(ConfigError, match="needs an id"), tp.request(ids):
        pass


def test_request_with_another_answer_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match="on_violation"),
        tp.request("a", on_violation="heal"),  # type: ignore[arg-type]
    ):
        pass
