"""A span: one call of a kernel, its fields, and the check when it closes."""

from __future__ import annotations

import time
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tracepact.core import native_core
from tracepact.errors import ConfigError
from tracepact.violation import Context, Violation

if TYPE_CHECKING:
    from tracepact.tracing.site import Site

_current: ContextVar[Span | None] = ContextVar("tracepact_span", default=None)


def current_span() -> Span | None:
    """The innermost open span of this thread or task, or None."""
    native = native_core()
    if native is None:
        return _open_span()
    span: Span | None = native.current_span()
    return span


def _open_span() -> Span | None:
    span = _current.get()
    # A span may be closed out of order or in another context, as generators do; it is still set.
    while span is not None and span.status != "open":
        span = span.parent
    return span


class Span:
    """One call of a kernel under a contract; made by calling a site.

    Attributes:
        fields: Values by name: those of the opening call and those recorded since.
        status: `open`, `ok`, `violated`, or `error` when the body raised (then nothing is checked).
        violations: What closing found.
        duration_ns: Wall time from open to close; 0 while open.
    """

    __slots__ = (
        "_opened_ns",
        "context",
        "duration_ns",
        "fields",
        "parent",
        "site",
        "status",
        "violations",
    )

    def __init__(self, site: Site, fields: dict[str, Any]) -> None:
        self.site = site
        self.fields = fields
        self.context = site.context
        self.parent: Span | None = None
        self.status = "open"
        self.violations: list[Violation] = []
        self.duration_ns = 0
        self._opened_ns = 0

    @property
    def attributes(self) -> dict[str, str]:
        """OpenTelemetry attributes of the span."""
        return {"contract.id": self.site.contract, "contract.equation": self.site.equation}

    def record(self, /, **fields: Any) -> None:
        """Add fields; a later value of a name replaces an earlier one."""
        self.fields.update(fields)

    def place(self, context: Context) -> None:
        """Say where in a model this call takes place."""
        self.context = context

    def __enter__(self) -> Self:
        if self._opened_ns:
            raise ConfigError("a span opens once; call its site again for another one")
        self.parent = _open_span()
        _current.set(self)
        self._opened_ns = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.duration_ns = time.perf_counter_ns() - self._opened_ns
        self.status = "ok" if exception_type is None else "error"
        _current.set(_open_span())
        if exception_type is None:
            self.site._close(self)


class NullSpan(Span):
    """A span that does nothing: what a site yields when it is off or not sampled."""

    __slots__ = ()

    def record(self, /, **fields: Any) -> None:
        """Nothing is kept."""

    def place(self, context: Context) -> None:
        """Nothing is kept."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None
