"""The reference engine as the main job uses it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tracepact.engines.generation import Generation
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.gguf_text import GgufText
from tracepact.engines.reference.injector import FaultInjector
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.engines.reference.tracing import TracingProbe
from tracepact.engines.reference.weights import Progress
from tracepact.engines.writer import Watch
from tracepact.faults import FaultSpec
from tracepact.model import ModelTracer
from tracepact.profiling import HardwareCapability


class ReferenceWriter:
    """A `Writer` over the reference engine.

    Args:
        path: A GGUF file.
        context_length: Positions of the KV cache; the model's own by default.
        threads: Of the matrix library, for the description.
        progress: Called with (bytes done, bytes in all) while loading.

    Raises:
        ModelFileError: The file cannot be used.
        ConfigError: The context length is out of range.
    """

    def __init__(
        self, path: Path, context_length: int | None, threads: int, progress: Progress | None
    ) -> None:
        # Checksums are taken before anything can damage a weight.
        self._model = ReferenceModel.load(
            path, context_length=context_length, checksums=True, progress=progress
        )
        self.text = GgufText(self._model.file)
        self.architecture = self._model.config.architecture.name
        plural = "" if threads == 1 else "s"
        self.description = f"reference (NumPy float32, {threads} thread{plural})"
        self.layers = self._model.config.layers
        self.weight_bytes = self._model.weights.nbytes

    def hardware(self) -> HardwareCapability:
        """As NumPy measured it."""
        return HardwareCapability.detect()

    def fault(self, spec: str, *, at_forward: int, seed: int) -> FaultInjector:
        """Any kind of fault."""
        parsed = FaultSpec.parse(spec, self.layers)
        return FaultInjector(parsed, self._model, at_forward=at_forward, seed=seed)

    @contextmanager
    def watch(self, watch: Watch) -> Iterator[WatchedReference]:
        """Every operation goes through a probe; nothing has to be taken off again."""
        yield WatchedReference(self._model, watch)


class WatchedReference:
    """A reference model with a probe."""

    def __init__(self, model: ReferenceModel, watch: Watch) -> None:
        fault = watch.fault
        assert fault is None or isinstance(fault, FaultInjector), "made by `ReferenceWriter.fault`"
        self.tracer = ModelTracer(watch.layer, watch.config)
        self._model = model
        self._sampler: Sampler = watch.sampler
        self._probe = TracingProbe(model, self.tracer, watch.profiler, fault, watch.sampler)

    @property
    def tracing_ns(self) -> int:
        """By the probe's clock."""
        return self._probe.tracing_ns

    def generate(
        self, tokens: Sequence[int], *, max_tokens: int, stop: Collection[int]
    ) -> Generation:
        """Continue a prompt."""
        return generate(
            self._model,
            tokens,
            max_tokens=max_tokens,
            sampler=self._sampler,
            probe=self._probe,
            stop=stop,
        )
