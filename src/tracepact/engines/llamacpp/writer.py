"""llama.cpp as the main job uses it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tracepact.engines.attach import trace
from tracepact.engines.generation import Generation
from tracepact.engines.llamacpp.injector import LlamaInjector
from tracepact.engines.llamacpp.library import installed
from tracepact.engines.llamacpp.raw import RawContext, RawModel
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_text import GgufText
from tracepact.engines.reference.weights import Progress
from tracepact.engines.traced_sampler import TracedSampler
from tracepact.engines.writer import Text, Watch
from tracepact.errors import ConfigError
from tracepact.faults import FaultSpec
from tracepact.model import ModelTracer
from tracepact.profiling import HardwareCapability
from tracepact.types import Array


class LlamaWriter:
    """A `Writer` over whichever llama.cpp is installed.

    Args:
        path: A GGUF file.
        context_length: Positions of the KV cache; the model's own by default.
        threads: That compute.
        progress: Not called: the engine maps the file, which takes no time.

    Raises:
        MissingExtraError: There is no llama.cpp.
        ModelFileError: The file cannot be used.
        ConfigError: The context length is out of range.
    """

    def __init__(
        self, path: Path, context_length: int | None, threads: int, progress: Progress | None
    ) -> None:
        library = installed()
        file = GgufFile(path)  # says what is wrong with a file, which llama.cpp does not
        self._model = RawModel(library, path)
        limit = self._model.number("llama_model_n_ctx_train", "llama_n_ctx_train")
        if context_length is not None and not 1 <= context_length <= limit:
            raise ConfigError(
                f"context_length {context_length} is out of range; {path} was made for 1 to "
                f"{limit} positions"
            )
        self._positions = context_length or limit
        self._threads = threads
        self.architecture = str(file.metadata.get("general.architecture", "?"))
        plural = "" if threads == 1 else "s"
        self.description = f"{library.description} ({threads} thread{plural})"
        self.layers = self._model.number("llama_model_n_layer", "llama_n_layer")
        self.weight_bytes = sum(tensor.size for tensor in file.tensors.values())
        self.text: Text = GgufText(file)

    def hardware(self) -> HardwareCapability:
        """As NumPy measured it."""
        return HardwareCapability.detect()

    def fault(self, spec: str, *, at_forward: int, seed: int) -> LlamaInjector:
        """Any fault in what nodes compute, and one in the cache."""
        parsed = FaultSpec.parse(spec, self.layers)
        return LlamaInjector(
            parsed, self._model.library, self.layers, at_forward=at_forward, seed=seed
        )

    @contextmanager
    def watch(self, watch: Watch) -> Iterator[WatchedLlama]:
        """A context with a callback; a planted fault acts before it looks."""
        fault = watch.fault
        assert fault is None or isinstance(fault, LlamaInjector), "made by `LlamaWriter.fault`"
        before = None if fault is None else fault.before
        with (
            self._model.context(self._positions, self._threads, before) as context,
            trace(
                context.context, layer=watch.layer, config=watch.config, profiler=watch.profiler
            ) as tracer,
        ):
            yield WatchedLlama(context, tracer, watch)


class WatchedLlama:
    """A context under watch."""

    def __init__(self, context: RawContext, tracer: ModelTracer, watch: Watch) -> None:
        self.tracer = tracer
        self._context = context
        self._fault = watch.fault
        self._sampler = TracedSampler(watch.sampler, tracer, watch.profiler)

    @property
    def tracing_ns(self) -> int:
        """By the watcher's own clock."""
        return self.tracer.tracing_ns

    def generate(
        self, tokens: Sequence[int], *, max_tokens: int, stop: Collection[int]
    ) -> Generation:
        """Continue a prompt."""
        capacity = self._context.positions
        if not 1 <= len(tokens) <= capacity:
            raise ConfigError(
                f"the prompt has {len(tokens)} tokens, but it must have 1 to {capacity}; "
                f"shorten it or give a larger --context-length"
            )
        used = 0

        def forward(ids: Sequence[int]) -> Array | None:
            nonlocal used
            if isinstance(self._fault, LlamaInjector):
                self._fault.begin_forward()
            if used + len(ids) > capacity:
                return None
            used += len(ids)
            return self._context.forward(ids)

        def start() -> Array:
            logits = forward(tokens)
            assert logits is not None, "there is room for the prompt"
            return logits

        return Generation(
            start, lambda token: forward([token]), self._sampler, max_tokens=max_tokens, stop=stop
        )
