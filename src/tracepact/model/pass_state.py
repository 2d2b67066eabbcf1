"""What a tracer knows of the forward pass that a thread is in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracepact.core import TensorStats
from tracepact.model.batch import Batch, Request
from tracepact.model.causes import Causes
from tracepact.model.events import Log, new_log
from tracepact.model.forward import ForwardTraces
from tracepact.tracing import Context
from tracepact.types import Array


class Coming(NamedTuple):
    """A pass that begins, or one that is looked at later than it ran.

    Attributes:
        position: Of its first token, in each sequence.
        batch: Its sequences, where there is more than one.
        request: Who asked for it.
    """

    position: int
    batch: Batch | None
    request: Request | None


class PassState(threading.local):
    """The forward pass of one thread."""

    def __init__(self) -> None:
        self._new_log: Callable[[], Log] = type(new_log())
        self.last = ForwardTraces(0)
        self.kept: list[tuple[tuple[str, str], Mapping[str, Any], Context]] = []
        self.layer_output: tuple[Array, TensorStats] | None = None
        self.is_sampled = True
        self.reported = 0
        self.batch: Batch | None = None
        self.request: Request | None = None
        self.causes = Causes()

    def begin(
        self,
        position: int,
        batch: Batch | None,
        request: Request | None,
        *,
        is_sampled: bool,
        top_k: int,
    ) -> None:
        """Start a pass; drops what a broken one left."""
        self.batch, self.request = batch, request
        self.causes.begin(position)
        self.is_sampled = is_sampled
        self.last = ForwardTraces(position, top_k, log=self._new_log())
        self.reported = 0
        self.drop()

    def drop(self) -> None:
        """Let go of what only a pass that is under way needs."""
        self.kept.clear()
        self.layer_output = None
