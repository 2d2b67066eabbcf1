"""`trace(model)`: watch a model of any supported engine, with nothing changed in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from tracepact.contracts import ContractRegistry
from tracepact.engines.probe import NullProbe
from tracepact.errors import ConfigError
from tracepact.model import ModelTracer, TraceConfig
from tracepact.tracing import ContractTracingLayer

if TYPE_CHECKING:
    from tracepact.profiling import BrickProfiler

_REFERENCE_MODEL: Final = "tracepact.engines.reference.model.ReferenceModel"
_TORCH_MODULE: Final = "torch.nn.modules.module.Module"
_LLAMAS: Final = (
    "llama_cpp.llama.Llama",
    "ik_llama_cpp.llama.IkLlama",
    "tracepact.engines.llamacpp.context.Context",
)


@contextmanager
def trace(
    model: Any,
    *,
    layer: ContractTracingLayer | None = None,
    config: TraceConfig | None = None,
    profiler: BrickProfiler | None = None,
    reference: Any = None,
) -> Iterator[ModelTracer]:
    """Trace every forward pass of a model inside a `with` block.

    Args:
        model: A `ReferenceModel`, any `torch.nn.Module`, a `Llama` that `tp.llamacpp.Llama` made,
            or a `tp.llamacpp.Context`.
        layer: Checks and reports; the shipped contracts and the standard log by default.
        config: Which traces to take; all by default.
        profiler: Times the bricks too.
        reference: For MLT-04: of a PyTorch model, the same model in a finer type; of llama.cpp,
            the path of a GGUF file with the weights that there ought to be.

    Yields:
        The tracer; its `summary` and `last` have the traces.

    Raises:
        ConfigError: No adapter knows this kind of model, it is traced already, the reference is
            another model, or a context of llama.cpp was made without a callback.
    """
    # Engines are recognised by name, so that none is imported for a model of another.
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__]
    tracer = ModelTracer(layer or ContractTracingLayer(ContractRegistry.builtin()), config)
    if _REFERENCE_MODEL in kinds:
        if reference is not None:
            raise ConfigError(
                "a ReferenceModel is held against its own file; leave out `reference`"
            )
        watched = _reference(model, tracer, profiler)
    elif _TORCH_MODULE in kinds:
        watched = _torch(model, tracer, profiler, reference)
    elif any(kind in _LLAMAS for kind in kinds):
        watched = _llamacpp(model, tracer, profiler, reference)
    else:
        supported = ", ".join((_REFERENCE_MODEL, _TORCH_MODULE, *_LLAMAS))
        raise ConfigError(f"cannot trace a {kinds[0]}; supported: {supported}")
    with watched:
        yield tracer


@contextmanager
def _reference(model: Any, tracer: ModelTracer, profiler: BrickProfiler | None) -> Iterator[None]:
    if not isinstance(model.probe, NullProbe):
        raise ConfigError("this model is traced already; end that `with` block first")
    from tracepact.engines.reference.tracing import TracingProbe  # noqa: PLC0415 - on use

    before, model.probe = model.probe, TracingProbe(model, tracer, profiler)
    try:
        yield
    finally:
        model.probe = before


@contextmanager
def _torch(
    model: Any, tracer: ModelTracer, profiler: BrickProfiler | None, reference: Any
) -> Iterator[None]:
    from tracepact.engines.torch.watch import TorchWatch  # noqa: PLC0415 - on use

    if tracer.config.is_off or not tracer.layer.is_on:
        yield  # nothing is looked at, so nothing is put on
        return
    watch = TorchWatch(model, tracer, profiler, reference)
    watch.install()
    try:
        yield
        watch.finish()
    finally:
        watch.remove()


@contextmanager
def _llamacpp(
    model: Any, tracer: ModelTracer, profiler: BrickProfiler | None, reference: Any
) -> Iterator[None]:
    from tracepact.engines.llamacpp.context import attached_to  # noqa: PLC0415 - on use
    from tracepact.engines.llamacpp.watch import LlamaWatch  # noqa: PLC0415

    attached = attached_to(model)
    if tracer.config.is_off or not tracer.layer.is_on:
        yield
        return
    watch = LlamaWatch(attached, tracer, profiler, reference)
    watch.install()
    try:
        yield
    finally:
        watch.remove()
