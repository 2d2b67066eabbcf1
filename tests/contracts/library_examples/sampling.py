"""sampling-algorithms-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, scaled
from library_examples.kernels import softmax

from tracepact.types import Array

_STEM = "sampling-algorithms-v1"
_LOGITS = planted(normal(200, scale=3), slice(180, None), -np.inf)
_PROBABILITIES = softmax(_LOGITS).astype(np.float64)


def _kept(x: Array, keep: Array) -> Array:
    kept = np.where(keep, x, 0)
    return kept / kept.sum()


def _top_k(x: Array, k: int) -> Array:
    keep = np.zeros(x.size, bool)
    keep[np.argsort(-x, kind="stable")[:k]] = True
    return _kept(x, keep)


def _top_p(x: Array, p: float) -> Array:
    order = np.argsort(-x, kind="stable")
    before = np.cumsum(x[order]) - x[order]
    keep = np.zeros(x.size, bool)
    keep[order[before < p]] = True
    return _kept(x, keep)


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
            [{"logits": row, "ret": row.tolist().index(row.max())} for row in grid(3)],
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
            {"logits": np.zeros(8), "ret": np.arange(8), "vocab_size": 8},
            8,
        ),
    ]


def _temperature(x: Array, temperature: float) -> Fields:
    return {"x": x, "temperature": temperature, "ret": x / np.float32(temperature)}


def _temperature_cases() -> list[Case]:
    good = _temperature(_LOGITS, 0.7)
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
            _temperature(grid(3, 7), 0.5),
            7,
        )
    ]


def _truncation_cases() -> list[Case]:
    x = _PROBABILITIES
    some: Fields = {"x": x, "k": 12, "ret": _top_k(x, 12)}
    most: Fields = {"x": x, "p": 0.9, "ret": _top_p(x, 0.9)}
    size = int(np.count_nonzero(most["ret"]))
    least = _kept(x, (x > 0) & (x < np.sort(x)[-1]))
    # Ties and zeros included: every distribution of three weights 0 to 3.
    weights = (grid(3, 4) + 2)[1:].astype(np.float64)
    small = weights / weights.sum(axis=-1, keepdims=True)
    return [
        Case(
            _STEM,
            "top_k",
            some,
            {
                "x >= 0 and k >= 1": {"k": 0},
                "Fewer than k tokens lie above the smallest kept": {"ret": _top_k(x, 13)},
                "At least k tokens are kept where there are as many": {"ret": _top_k(x, 11)},
                "Kept probabilities sum to 1": {"ret": np.where(some["ret"] > 0, x, 0)},
            },
            [{"x": x, "k": k, "ret": _top_k(x, k)} for x in small for k in range(1, 5)],
            4,
        ),
        Case(
            _STEM,
            "top_p",
            most,
            {
                "0 < p <= 1": {"p": 90.0},
                "abs(sum(x) - 1) <= tol": {"x": scaled(x, slice(None))},
                "Kept mass reaches p": {"ret": _top_k(x, size - 1)},
                "Without its least likely token the nucleus falls short of p": {
                    "ret": _top_k(x, size + 1)
                },
                "Kept tokens are the most likely ones": {"ret": least},
                "Kept tokens keep their ratios": {
                    "ret": np.where(most["ret"] > 0, softmax(most["ret"]), 0)
                },
            },
            [{"x": x, "p": p, "ret": _top_p(x, p)} for x in small for p in (0.1, 0.4, 0.7, 1.0)],
            4,
        ),
    ]


CASES = [*_greedy_cases(), *_temperature_cases(), *_truncation_cases()]
