"""Generate tokens one after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tracepact.enforce import unchecked
from tracepact.engines.generation import Generation, StopReason
from tracepact.engines.probe import Probe, is_self_checking
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.errors import ConfigError
from tracepact.types import Array, BrickId

__all__ = ["ReferenceGeneration", "StopReason", "generate"]


class ReferenceGeneration(Generation):
    """A generation of the reference engine.

    Attributes:
        cache: the keys and values so far.
    """

    cache: KvCache


def generate(
    model: ReferenceModel,
    tokens: Sequence[int],
    *,
    max_tokens: int,
    sampler: Sampler | None = None,
    probe: Probe | None = None,
    stop: Collection[int] = (),
) -> ReferenceGeneration:
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
    probe = model.probe if probe is None else probe
    cache = model.new_cache()
    sample = (sampler or Sampler()).sample
    draw = sample if is_self_checking(probe) else unchecked(sample)
    vocabulary = model.config.vocabulary

    def step(token: int) -> Array | None:
        if cache.used >= cache.capacity:
            return None
        logits: Array = model.forward([token], cache, probe)[-1]
        return logits

    def kernel(*, logits: Array, vocab_size: int) -> Array:
        return np.asarray(draw(logits, vocab_size))

    generation = ReferenceGeneration(
        lambda: model.prefill(tokens, cache, probe)[-1],
        step,
        lambda logits: int(
            probe.run(BrickId.Sampling, None, kernel, logits=logits, vocab_size=vocabulary)
        ),
        max_tokens=max_tokens,
        stop=stop,
    )
    generation.cache = cache
    return generation
