"""sampling-algorithms-v1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from library_examples.case import Case, Fields, normal, planted, rows, scaled

from tracepact.kernels.sampling import greedy, sample, temperature, top_k, top_p
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array

_STEM = "sampling-algorithms-v1"
_LOGITS = planted(normal(200, scale=3), slice(180, None), -np.inf)
_PROBABILITIES = softmax(_LOGITS).astype(np.float64)


def _kept(x: Array, keep: Array) -> Array:
    kept = np.where(keep, x, 0)
    return kept / kept.sum()


_LOGIT_ROWS = rows(3, -np.inf, -100, 0, 1, 1e30)[1:]
_LOGITS_TEXT = "every row of 3 logits out of -inf, -100, 0, 1 and 1e30 but the one that is masked"


def _every_draw() -> Iterator[Fields]:
    for logits in _LOGIT_ROWS:
        for uniform in (0.0, 0.25, 0.5, 0.75, np.nextafter(1.0, 0.0)):
            yield {"logits": logits, "ret": sample(logits, uniform), "vocab_size": 3}


def _greedy_cases() -> list[Case]:
    tied = planted(_LOGITS, [10, 20], _LOGITS.max() + 1)
    return [
        Case(
            _STEM,
            "greedy",
            {"logits": tied, "ret": 10},
            {
                "max(logits) > -inf": {"logits": np.full(5, -np.inf)},
                "Token with the largest logit": {"ret": 20},
            },
            lambda: ({"logits": row, "ret": greedy(row)} for row in _LOGIT_ROWS),
            5,
            _LOGITS_TEXT,
        ),
        Case(
            _STEM,
            "sample",
            {"logits": _LOGITS, "ret": 17, "vocab_size": 200},
            {
                "len(logits) == vocab_size": {"vocab_size": 256},
                "logits < inf": {"logits": planted(_LOGITS, 3, np.nan)},
                "Token is in the vocabulary": {"ret": 200},
            },
            _every_draw,
            5,
            f"{_LOGITS_TEXT}, drawn with 0, 1/4, 1/2, 3/4 and the number before 1",
        ),
    ]


def _cooled(x: Array, by: float) -> Fields:
    return {"x": x, "temperature": by, "ret": temperature(x, by)}


def _temperature_cases() -> list[Case]:
    good = _cooled(_LOGITS, 0.7)
    return [
        Case(
            _STEM,
            "temperature",
            good,
            {
                "temperature > 0": {"temperature": 0.0},
                "Logits are divided by the temperature": {"ret": _LOGITS * np.float32(0.7)},
                "Masked tokens stay masked": {"ret": np.maximum(good["ret"], -1e4)},
            },
            lambda: (_cooled(_LOGIT_ROWS, by) for by in (0.1, 0.5, 1.0, 1.5, 2.0)),
            5,
            f"{_LOGITS_TEXT}, at temperatures of 0.1, 0.5, 1, 1.5 and 2",
        )
    ]


def _truncation_cases() -> list[Case]:
    x = _PROBABILITIES
    some: Fields = {"x": x, "k": 12, "ret": top_k(x, 12)}
    most: Fields = {"x": x, "p": 0.9, "ret": top_p(x, 0.9)}
    size = int(np.count_nonzero(most["ret"]))
    least = _kept(x, (x > 0) & (x < np.sort(x)[-1]))
    # Ties and zeros included: every distribution of three weights 0 to 3.
    weights = rows(3, 0, 1, 2, 3)[1:].astype(np.float64)
    small = weights / weights.sum(axis=-1, keepdims=True)
    return [
        Case(
            _STEM,
            "top_k",
            some,
            {
                "x >= 0 and k >= 1": {"k": 0},
                "abs(sum(x) - 1) <= tol": {"x": scaled(x, slice(None))},
                "Fewer than k tokens lie above the smallest kept": {"ret": top_k(x, 13)},
                "At least k tokens are kept where there are as many": {"ret": top_k(x, 11)},
                "Kept probabilities sum to 1": {"ret": np.where(some["ret"] > 0, x, 0)},
            },
            lambda: ({"x": x, "k": k, "ret": top_k(x, k)} for x in small for k in range(1, 5)),
            4,
            "3 tokens in proportions out of 0, 1, 2 and 3, and k from 1 to 4",
        ),
        Case(
            _STEM,
            "top_p",
            most,
            {
                "0 < p <= 1": {"p": 90.0},
                "abs(sum(x) - 1) <= tol": {"x": scaled(x, slice(None))},
                "Kept mass reaches p": {"ret": top_k(x, size - 1)},
                "Without its least likely token the nucleus falls short of p": {
                    "ret": top_k(x, size + 1)
                },
                "Kept tokens are the most likely ones": {"ret": least},
                "Kept tokens keep their ratios": {
                    "ret": np.where(most["ret"] > 0, softmax(most["ret"]), 0)
                },
            },
            lambda: (
                {"x": x, "p": p, "ret": top_p(x, p)} for x in small for p in (0.1, 0.4, 0.7, 1.0)
            ),
            4,
            "3 tokens in proportions out of 0, 1, 2 and 3, and p out of 0.1, 0.4, 0.7 and 1",
        ),
    ]


CASES = [*_greedy_cases(), *_temperature_cases(), *_truncation_cases()]
