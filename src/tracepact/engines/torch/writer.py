"""PyTorch and transformers as the main job uses them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracepact.engines.attach import trace
from tracepact.engines.generation import Generation
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_text import GgufText
from tracepact.engines.reference.weights import Progress
from tracepact.engines.torch.hardware import torch_hardware
from tracepact.engines.torch.injector import TorchInjector
from tracepact.engines.torch.load import load_model
from tracepact.engines.torch.text import TransformersText
from tracepact.engines.traced_sampler import TracedSampler
from tracepact.engines.writer import Text, Watch
from tracepact.errors import ConfigError, MissingExtraError
from tracepact.faults import FaultSpec
from tracepact.model import ModelTracer
from tracepact.profiling import HardwareCapability
from tracepact.types import Array

try:
    import torch
    from transformers import AutoTokenizer
    from transformers.utils import logging
except ImportError as error:
    raise MissingExtraError("running a model with PyTorch", "torch") from error


class TorchWriter:
    """A `Writer` over a causal language model of transformers.

    Args:
        path: A GGUF file, or a folder that transformers loads; nothing is downloaded, and no code
            that comes with a model is run.
        context_length: Positions to write at most; the model's own by default.
        threads: Of PyTorch.
        progress: Not called: transformers has a bar of its own.

    Raises:
        ModelFileError: The model cannot be loaded.
        ConfigError: The context length is out of range.
    """

    def __init__(
        self, path: Path, context_length: int | None, threads: int, progress: Progress | None
    ) -> None:
        torch.set_num_threads(threads)
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        self._model = load_model(path)
        config = self._model.config.get_text_config()
        limit = getattr(config, "max_position_embeddings", None) or 1 << 31
        if context_length is not None and not 1 <= context_length <= limit:
            raise ConfigError(
                f"context_length {context_length} is out of range; {path} was made for 1 to "
                f"{limit} positions"
            )
        self._capacity = context_length or limit
        self.architecture = str(config.model_type)
        dtype = str(self._model.dtype).removeprefix("torch.")
        plural = "" if threads == 1 else "s"
        self.description = f"torch {torch.__version__} ({dtype}, {threads} thread{plural})"
        self.layers = int(config.num_hidden_layers)
        weights = {p.data_ptr(): p.nbytes for p in self._model.parameters()}  # tied ones once
        self.weight_bytes = sum(weights.values())
        self.text: Text = (
            GgufText(GgufFile(path))
            if path.is_file()
            else TransformersText(AutoTokenizer.from_pretrained(path, local_files_only=True))
        )

    def hardware(self) -> HardwareCapability:
        """As PyTorch uses it, in the weights' type."""
        return torch_hardware(self._model.dtype)

    def fault(self, spec: str, *, at_forward: int, seed: int) -> TorchInjector:
        """Any fault but one behind the end of a cache that grows."""
        parsed = FaultSpec.parse(spec, self.layers)
        return TorchInjector(parsed, self._model, at_forward=at_forward, seed=seed)

    @contextmanager
    def watch(self, watch: Watch) -> Iterator[WatchedTorch]:
        """Hooks on the model's modules; a planted fault's come first, so that it is seen."""
        fault = watch.fault
        assert fault is None or isinstance(fault, TorchInjector), "made by `TorchWriter.fault`"
        with (
            fault.planted() if fault else _nothing(),
            trace(
                self._model, layer=watch.layer, config=watch.config, profiler=watch.profiler
            ) as tracer,
        ):
            yield WatchedTorch(self._model, tracer, watch, self._capacity)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class WatchedTorch:
    """A transformers model with hooks on it."""

    def __init__(self, model: Any, tracer: ModelTracer, watch: Watch, capacity: int) -> None:
        self.tracer = tracer
        self._model = model
        self._capacity = capacity
        self._sampler = TracedSampler(watch.sampler, tracer, watch.profiler)

    @property
    def tracing_ns(self) -> int:
        """By the hooks' own clock."""
        return self.tracer.tracing_ns

    def generate(
        self, tokens: Sequence[int], *, max_tokens: int, stop: Collection[int]
    ) -> Generation:
        """Continue a prompt."""
        if not 1 <= len(tokens) <= self._capacity:
            raise ConfigError(
                f"the prompt has {len(tokens)} tokens, but it must have 1 to {self._capacity}; "
                f"shorten it or give a larger --context-length"
            )
        used = 0
        past: Any = None

        def forward(ids: Sequence[int]) -> Array:
            nonlocal used, past
            with torch.inference_mode():
                output = self._model(
                    input_ids=torch.tensor([list(ids)]), past_key_values=past, use_cache=True
                )
            past, used = output.past_key_values, used + len(ids)
            logits: Array = output.logits[0, -1].float().numpy()
            return logits

        def step(token: int) -> Array | None:
            return None if used >= self._capacity else forward([token])

        return Generation(
            lambda: forward(tokens), step, self._sampler, max_tokens=max_tokens, stop=stop
        )
