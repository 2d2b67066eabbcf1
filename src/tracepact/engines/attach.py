"""`trace(model)`: watch a model of any supported engine, with nothing changed in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tracepact.errors import ConfigError
from tracepact.model import ModelTracer, TraceConfig

if TYPE_CHECKING:
    from tracepact.profiling import BrickProfiler
    from tracepact.tracing import ContractTracingLayer


@contextmanager
def trace(
    model: Any,
    *,
    layer: ContractTracingLayer | None = None,
    config: TraceConfig | None = None,
    profiler: BrickProfiler | None = None,
) -> Iterator[ModelTracer]:
    """Trace every forward pass of a model inside a `with` block.

    Args:
        model: A `ReferenceModel`.
        layer: Checks and reports; the shipped contracts and the standard log by default.
        config: Which traces to take; all by default.
        profiler: Times the bricks too.

    Yields:
        The tracer; its `summary` and `last` have the traces.

    Raises:
        ConfigError: No adapter knows this kind of model.
    """
    # Engines are recognised by name, so that none is imported for a model of another.
    if not type(model).__module__.startswith("tracepact.engines.reference."):
        raise ConfigError(
            f"cannot trace a {type(model).__module__}.{type(model).__qualname__}; "
            "supported: tracepact.engines.reference.ReferenceModel"
        )
    from tracepact.engines.reference.tracing import TracingProbe  # noqa: PLC0415 - on use

    tracer = ModelTracer(layer, config)
    before, model.probe = model.probe, TracingProbe(model, tracer, profiler)
    try:
        yield tracer
    finally:
        model.probe = before
