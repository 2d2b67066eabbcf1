"""Generate tokens one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

import numpy as np

from tracepact.enforce import unchecked
from tracepact.engines.probe import Probe, is_self_checking
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.errors import ConfigError
from tracepact.types import Array, BrickId


class StopReason(StrEnum):
    """Why a generation ended."""

    STOP_TOKEN = "stop_token"
    MAX_TOKENS = "max_tokens"
    CONTEXT_FULL = "context_full"


class Generation(Iterator[int]):
    """Token ids as they are generated; the prompt runs through the model at the first one.

    Attributes:
        cache: the keys and values so far.
        stop_reason: None while there may be more tokens.
    """

    def __init__(
        self,
        model: ReferenceModel,
        tokens: Sequence[int],
        *,
        max_tokens: int,
        sampler: Sampler,
        probe: Probe | None,
        stop: Collection[int],
    ) -> None:
        self.cache = model.new_cache()
        self.stop_reason: StopReason | None = None
        self._model = model
        self._prompt = tokens
        self._max_tokens = max_tokens
        self._probe = model.probe if probe is None else probe
        draw = sampler.sample
        self._draw = draw if is_self_checking(self._probe) else unchecked(draw)
        self._stop = frozenset(stop)
        self._tokens = self._generate()

    def __next__(self) -> int:
        return next(self._tokens)

    def _generate(self) -> Iterator[int]:
        logits = self._model.prefill(self._prompt, self.cache, self._probe)
        generated = 0
        while self.stop_reason is None:
            token = self._sample(logits[-1])
            if token in self._stop:
                self.stop_reason = StopReason.STOP_TOKEN
                return
            yield token
            generated += 1
            if generated == self._max_tokens:
                self.stop_reason = StopReason.MAX_TOKENS
            elif self.cache.used >= self.cache.capacity:
                self.stop_reason = StopReason.CONTEXT_FULL
            else:
                logits = self._model.forward([token], self.cache, self._probe)

    def _sample(self, logits: Array) -> int:
        def kernel(*, logits: Array, vocab_size: int) -> Array:
            return np.asarray(self._draw(logits, vocab_size))

        vocabulary = self._model.config.vocabulary
        ret = self._probe.run(BrickId.Sampling, None, kernel, logits=logits, vocab_size=vocabulary)
        return int(ret)


def generate(
    model: ReferenceModel,
    tokens: Sequence[int],
    *,
    max_tokens: int,
    sampler: Sampler | None = None,
    probe: Probe | None = None,
    stop: Collection[int] = (),
) -> Generation:
    """Continue a prompt.

    Args:
        model: the model.
        tokens: the prompt, at least one id.
        max_tokens: how many to generate at most, at least 1.
        sampler: greedy by default.
        probe: sees every forward pass, and the sampling after each; by default the model's own.
        stop: ids that end the generation; they are not yielded.

    Returns:
        An iterator of ids; afterwards its `stop_reason` says why it ended.

    Raises:
        ConfigError: the prompt is empty or longer than the context, or `max_tokens` is below 1.
    """
    if max_tokens < 1:
        raise ConfigError(f"max_tokens must be at least 1, got {max_tokens}")
    if not 1 <= len(tokens) <= model.context_length:
        raise ConfigError(
            f"the prompt has {len(tokens)} tokens, but it must have 1 to {model.context_length}; "
            f"shorten it or load the model with a larger context_length"
        )
    return Generation(
        model,
        tokens,
        max_tokens=max_tokens,
        sampler=sampler or Sampler(),
        probe=probe,
        stop=stop,
    )
