"""What the main job asks of an engine: to write text with somebody watching."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tracepact.engines.generation import Generation
from tracepact.engines.reference.sampling import Sampler
from tracepact.faults import FaultSpec
from tracepact.model import ModelTracer, TraceConfig
from tracepact.profiling import BrickProfiler, HardwareCapability
from tracepact.tracing import ContractTracingLayer


class TextStream(Protocol):
    """Text of tokens that arrive one by one; never half a character."""

    def push(self, token: int) -> str:
        """The text that this token completes; may be empty."""

    def finish(self) -> str:
        """What is left."""


class Text(Protocol):
    """Between text and token ids."""

    @property
    def stop_ids(self) -> Collection[int]:
        """Tokens that end a text."""

    def prompt(self, text: str) -> str:
        """The text that asks the model to answer, by its chat template if it has one."""

    def encode(self, text: str) -> list[int]:
        """Token ids."""

    def stream(self) -> TextStream:
        """A decoder for ids that arrive one by one."""


class Fault(Protocol):
    """A fault to plant."""

    @property
    def spec(self) -> FaultSpec:
        """Which, and where."""

    @property
    def description(self) -> str | None:
        """What was done, once it was; None before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who watches a generation, and what goes wrong on purpose."""

    layer: ContractTracingLayer
    config: TraceConfig
    profiler: BrickProfiler
    sampler: Sampler
    fault: Fault | None


class Watched(Protocol):
    """A model under watch."""

    @property
    def tracer(self) -> ModelTracer:
        """Took the traces."""

    @property
    def tracing_ns(self) -> int:
        """Time that tracing has taken so far."""

    def generate(
        self, tokens: Sequence[int], *, max_tokens: int, stop: Collection[int]
    ) -> Generation:
        """Continue a prompt.

        Raises:
            ConfigError: The prompt is empty or longer than the context.
        """


class Writer(Protocol):
    """A loaded model."""

    @property
    def architecture(self) -> str:
        """As its file names it."""

    @property
    def description(self) -> str:
        """The engine, its precision and threads, for people."""

    @property
    def layers(self) -> int:
        """How many it has."""

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights."""

    @property
    def text(self) -> Text:
        """Its tokenizer and chat template."""

    def hardware(self) -> HardwareCapability:
        """What the machine does with this engine, which budgets of bricks come from."""

    def fault(self, spec: str, *, at_forward: int, seed: int) -> Fault:
        """A fault that acts from a forward pass on; 0 is the prompt's.

        Raises:
            ConfigError: This engine cannot plant it, or the model has no such place.
        """

    def watch(self, watch: Watch) -> AbstractContextManager[Watched]:
        """Attach what watches, for as long as the `with` block."""
