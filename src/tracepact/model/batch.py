"""Which sequence of a batch a row belongs to, and whose request it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tracepact.errors import ConfigError, ContractViolation
from tracepact.tracing import ContractTracingLayer
from tracepact.types import Array
from tracepact.violation import Violation

OnViolation: TypeAlias = Literal["log", "raise"] | Callable[[Sequence[Violation]], None]
"""What is done beside exporting: nothing, `ContractViolation` at the end of the forward pass that
found it, or a call with the violations of that pass, the root first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences that a forward pass runs side by side.

    Attributes:
        size: How many.
        tokens: Of each, in this pass.
        rows: int [n], the sequence of each row that counts; None where all of them do.
    """

    size: int
    tokens: int
    rows: Array | None = None

    def sequence(self, index: tuple[int, ...] | None, *, axis: int = 0) -> int | None:
        """The sequence of an offending element; None for a batch of one, or where it is unknown.

        Args:
            index: Of the element, in a field whose rows are [batch, …] or only those that count.
            axis: Where these rows are; behind the first axis, [batch · tokens] count as rows.
        """
        if self.size <= 1 or index is None or len(index) <= axis:
            return None
        row = index[axis]
        if self.rows is not None:
            found = int(self.rows[row]) if row < len(self.rows) else -1
        else:
            found = row if axis == 0 else row // self.tokens
        return found if 0 <= found < self.size else None


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for the forward passes of a context.

    Attributes:
        ids: One for all sequences of a batch, or one each.
        on_violation: What is done about theirs.
    """

    ids: tuple[str, ...]
    on_violation: OnViolation

    def sign(self, violation: Violation) -> Violation:
        """The violation with the id of its sequence, where that is known."""
        sequence = 0 if len(self.ids) == 1 else violation.batch
        if sequence is None or sequence >= len(self.ids):
            return violation
        return replace(violation, request=self.ids[sequence])

    def answer(self, found: Sequence[Violation], layer: ContractTracingLayer) -> None:
        """Do what the request wants done about violations, beside their export.

        Raises:
            ContractViolation: It wants that; carries the first one.
        """
        failed = [violation for violation in found if violation.verdict == "failed"]
        if not failed or self.on_violation == "log":
            return
        if self.on_violation == "raise":
            raise ContractViolation(failed[0])
        try:
            self.on_violation(failed)
        except Exception as error:
            layer.fault("on_violation", error)


_current: ContextVar[Request | None] = ContextVar("tracepact_request", default=None)


def current_request() -> Request | None:
    """The request of this thread or task."""
    return _current.get()


@contextmanager
def request(ids: str | Sequence[str], *, on_violation: OnViolation = "log") -> Iterator[None]:
    """Name who asks for the forward passes inside the block, and say what a violation does there.

    Args:
        ids: One id, or one for each sequence of a batch.
        on_violation: `"log"` leaves it to the layer's policy; `"raise"` raises
            `ContractViolation` when the forward pass that found it ends, so in that `generate`; a
            callable is called with the violations of the pass, the root first, and a fault in it
            is counted and never reaches the model.

    Threads and asynchronous tasks each have their own. Nothing is ever healed.

    Raises:
        ConfigError: There is no id, or `on_violation` is something else.
    """
    names = (ids,) if isinstance(ids, str) else tuple(ids)
    if not names:
        raise ConfigError("a request needs an id")
    if on_violation not in ("log", "raise") and not callable(on_violation):
        raise ConfigError(
            f"on_violation is 'log', 'raise' or something to call, not {on_violation!r}"
        )
    token = _current.set(Request(names, on_violation))
    try:
        yield
    finally:
        _current.reset(token)
