"""Claims about generating token after token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tracepact.engines.probe import NullProbe
from tracepact.engines.reference.generate import StopReason, generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.errors import ConfigError
from tracepact.types import Array, BrickId

PROMPT = [3, 141, 59]


class SamplingRecorder(NullProbe):
    """Notes the fields of every sampling, and how often the head ran."""

    def __init__(self) -> None:
        self.samplings: list[dict[str, Any]] = []
        self.heads = 0

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        ret = kernel(**inputs)
        self.heads += brick == BrickId.LmHead
        if brick == BrickId.Sampling:
            self.samplings.append({**inputs, "ret": ret})
        return ret


def greedy_by_hand(model: ReferenceModel, count: int) -> list[int]:
    tokens = list(PROMPT)
    for _ in range(count):
        logits = model.forward(tokens, model.new_cache())
        tokens.append(int(logits[0].argmax()))
    return tokens[len(PROMPT) :]


def test_greedy_generation_equals_forward_and_argmax(tiny_model: ReferenceModel) -> None:
    generation = generate(tiny_model, PROMPT, max_tokens=8)
    assert list(generation) == greedy_by_hand(tiny_model, 8)
    assert generation.stop_reason is StopReason.MAX_TOKENS
    assert generation.cache.used == len(PROMPT) + 7


def test_tokens_arrive_before_the_next_one_is_computed(tiny_model: ReferenceModel) -> None:
    generation = generate(tiny_model, PROMPT, max_tokens=8)
    assert generation.cache.used == 0
    next(generation)
    assert generation.cache.used == len(PROMPT)
    assert generation.stop_reason is None


def test_a_stop_token_ends_it_and_is_not_given_out(tiny_model: ReferenceModel) -> None:
    expected = greedy_by_hand(tiny_model, 8)
    stop = next(token for token in expected if token != expected[0])
    generation = generate(tiny_model, PROMPT, max_tokens=8, stop=[stop, 9999])
    assert list(generation) == expected[: expected.index(stop)]
    assert generation.stop_reason is StopReason.STOP_TOKEN


def test_a_full_context_ends_it_with_that_reason(tiny_model: ReferenceModel) -> None:
    generation = generate(tiny_model, PROMPT, max_tokens=1000)
    assert len(list(generation)) == tiny_model.context_length - len(PROMPT) + 1
    assert generation.stop_reason is StopReason.CONTEXT_FULL
    assert generation.cache.used == generation.cache.capacity == 48


def test_a_seeded_sampler_repeats_its_text(tiny_model: ReferenceModel) -> None:
    texts = [
        list(generate(tiny_model, PROMPT, max_tokens=20, sampler=Sampler(1.0, seed=seed)))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_sampling_is_a_brick_with_its_contracts_fields(tiny_model: ReferenceModel) -> None:
    probe = SamplingRecorder()
    tokens = list(generate(tiny_model, PROMPT, max_tokens=5, probe=probe))
    assert [int(fields["ret"]) for fields in probe.samplings] == tokens
    assert probe.heads == len(tokens)
    assert set(probe.samplings[0]) == {"logits", "vocab_size", "ret"}
    assert probe.samplings[0]["logits"].shape == (264,)
    assert probe.samplings[0]["vocab_size"] == 264


def test_the_models_own_probe_sees_it_too(tiny_model: ReferenceModel) -> None:
    tiny_model.probe = probe = SamplingRecorder()
    list(generate(tiny_model, PROMPT, max_tokens=2))
    assert len(probe.samplings) == 2


def test_nan_logits_do_not_stop_it(tiny_model: ReferenceModel) -> None:
    tiny_model.weight_of(BrickId.UpProjection, 0).weight[0, 0] = np.nan
    generation = generate(tiny_model, PROMPT, max_tokens=3, sampler=Sampler(1.0, seed=0))
    assert len(list(generation)) == 3


@pytest.mark.parametrize("prompt", [[], [1] * 49])
def test_a_prompt_must_fit_the_context(prompt: list[int], tiny_model: ReferenceModel) -> None:
    with pytest.raises(ConfigError, match="it must have 1 to 48"):
        generate(tiny_model, prompt, max_tokens=1)


def test_a_prompt_that_fills_the_context_gives_one_token(tiny_model: ReferenceModel) -> None:
    generation = generate(tiny_model, [1] * 48, max_tokens=5)
    assert len(list(generation)) == 1
    assert generation.stop_reason is StopReason.CONTEXT_FULL


def test_no_tokens_are_not_worth_a_run(tiny_model: ReferenceModel) -> None:
    with pytest.raises(ConfigError, match="max_tokens must be at least 1, got 0"):
        generate(tiny_model, PROMPT, max_tokens=0)
