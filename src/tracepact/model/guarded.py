"""Faults of our own that never reach the model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from tracepact.model.tracer import ModelTracer

_P = ParamSpec("_P")
_T = TypeVar("_T")


def guarded(
    record: Callable[Concatenate[ModelTracer, _P], _T],
) -> Callable[Concatenate[ModelTracer, _P], _T | None]:
    """A fault in a trace is counted and logged by the layer; the model never sees it."""

    @functools.wraps(record)
    def call(self: ModelTracer, /, *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        try:
            return record(self, *args, **kwargs)
        except Exception as error:
            self.layer.fault(record.__name__, error)
            return None

    return call
