"""Claims about choosing tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.engines.reference.sampling import Sampler
from tracepact.errors import ConfigError
from tracepact.types import Array

LOGITS = np.log(np.array([0.5, 0.25, 0.125, 0.0625, 0.0625], dtype=np.float32))
DRAWS = 4000


def frequencies(sampler: Sampler, logits: Array = LOGITS) -> Array:
    counts = np.bincount([sampler.sample(logits) for _ in range(DRAWS)], minlength=logits.size)
    return counts / DRAWS


def assert_distribution(got: Array, expected: Array) -> None:
    """Five standard deviations of a binomial: a wrong sampler fails, a right one never in years."""
    expected = np.asarray(expected)
    deviation = np.sqrt(expected * (1 - expected) / DRAWS)
    assert np.all(np.abs(got - expected) <= 5 * deviation)


def test_zero_temperature_is_greedy() -> None:
    token = Sampler().sample(np.array([0.1, 3.0, -1.0], dtype=np.float32))
    assert token == 1
    assert type(token) is int


def test_temperature_one_draws_from_the_softmax() -> None:
    assert_distribution(frequencies(Sampler(temperature=1.0, seed=1)), np.exp(LOGITS))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_sharpens_or_flattens(temperature: float) -> None:
    expected = np.exp(LOGITS.astype(np.float64) / temperature)
    expected /= expected.sum()
    assert_distribution(frequencies(Sampler(temperature=temperature, seed=2)), expected)


def test_only_differences_of_logits_count() -> None:
    assert_distribution(
        frequencies(Sampler(1.0, seed=9), LOGITS + np.float32(1000)), np.exp(LOGITS)
    )


def test_top_k_draws_from_the_k_most_likely() -> None:
    expected = np.array([2 / 3, 1 / 3, 0, 0, 0])
    assert_distribution(frequencies(Sampler(temperature=1.0, top_k=2, seed=3)), expected)


def test_top_k_of_one_is_greedy_at_any_temperature() -> None:
    assert frequencies(Sampler(temperature=9.0, top_k=1, seed=3))[0] == 1.0


def test_top_k_beyond_the_vocabulary_keeps_all() -> None:
    sampler = Sampler(temperature=1.0, top_k=99, seed=4)
    assert_distribution(frequencies(sampler), np.exp(LOGITS))


def test_top_p_draws_from_the_smallest_set_that_reaches_p() -> None:
    """0.5 + 0.25 < 0.8 ≤ 0.5 + 0.25 + 0.125: three tokens, in the ratio of their probabilities."""
    expected = np.array([4, 2, 1, 0, 0]) / 7
    assert_distribution(frequencies(Sampler(temperature=1.0, top_p=0.8, seed=5)), expected)


def test_top_p_always_keeps_the_most_likely() -> None:
    assert frequencies(Sampler(temperature=1.0, top_p=1e-9, seed=6))[0] == 1.0


def test_top_p_sees_the_order_of_probabilities_not_of_ids() -> None:
    got = frequencies(Sampler(temperature=1.0, top_p=0.8, seed=7), LOGITS[::-1])
    assert_distribution(got, np.array([0, 0, 1, 2, 4]) / 7)


def test_a_seed_repeats_the_draws() -> None:
    first, second = (Sampler(temperature=1.0, seed=11) for _ in range(2))
    draws = [first.sample(LOGITS) for _ in range(50)]
    assert draws == [second.sample(LOGITS) for _ in range(50)]
    assert len(set(draws)) > 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_does_not_stop_the_run(bad: float) -> None:
    logits = LOGITS.copy()
    logits[3] = bad
    assert Sampler(temperature=1.0, top_p=0.5).sample(logits) == 3


def test_minus_infinity_is_never_drawn() -> None:
    logits = LOGITS.copy()
    logits[0] = -np.inf
    assert frequencies(Sampler(temperature=1.0, seed=8), logits)[0] == 0.0


@given(
    logits=st.lists(st.floats(width=32), min_size=1, max_size=20),
    temperature=st.sampled_from([0.0, 0.01, 1.0, 100.0]),
    top_k=st.integers(0, 5),
    top_p=st.sampled_from([0.01, 0.9, 1.0]),
)
def test_any_logits_give_an_id_of_the_vocabulary(
    logits: list[float], temperature: float, top_k: int, top_p: float
) -> None:
    sampler = Sampler(temperature, top_k, top_p, seed=0)
    with np.errstate(over="ignore"):
        assert 0 <= sampler.sample(np.array(logits, dtype=np.float32)) < len(logits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number of at least 0"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_k": -1}, "top_k must be at least 0"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\]"),
        ({"top_p": 1.1}, "top_p"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sampler(**settings)
