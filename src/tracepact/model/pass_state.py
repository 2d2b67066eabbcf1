"""What a tracer knows of the forward pass that a thread is in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from tracepact.core import TensorStats
from tracepact.model.batch import Batch, Request
from tracepact.model.causes import Causes
from tracepact.model.forward import ForwardTraces
from tracepact.tracing import Context
from tracepact.types import Array


class PassState(threading.local):
    """The forward pass of one thread."""

    def __init__(self) -> None:
        self.last = ForwardTraces(0)
        self.kept: list[tuple[tuple[str, str], Mapping[str, Any], Context]] = []
        self.layer_output: tuple[Array, TensorStats] | None = None
        self.is_sampled = True
        self.reported = 0
        self.batch: Batch | None = None
        self.request: Request | None = None
        self.causes = Causes()
