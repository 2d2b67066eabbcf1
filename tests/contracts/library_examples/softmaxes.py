"""softmax-kernel-v1, log-softmax-v1, cross-entropy-kernel-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, normal, planted, rng, rows, scaled

from tracepact.kernels.losses import cross_entropy, mean_loss, perplexity
from tracepact.kernels.softmaxes import log_softmax, masked_softmax, softmax
from tracepact.types import Array

_EXTREME = (-np.inf, -1e30, 0.0, 1.0, 1e30)
_EXTREME_TEXT = "every row of 4 out of -inf, -1e30, 0, 1 and 1e30 that is not masked entirely"
_WHOLE = (-2, -1, 0, 1, 2)

_X = planted(normal(3, 7, 33, scale=6), (1, slice(None), slice(20, None)), -np.inf)
_NAN = planted(_X, (0, 2, 5), np.nan)
_MASKED_ROW = planted(_X, (2, 3), -np.inf)


def _extreme_rows() -> Array:
    every = rows(4, *_EXTREME)
    return every[np.isfinite(every).any(axis=-1)]


def _softmax(x: Array) -> Fields:
    return {"x": x, "ret": softmax(x)}


def _unshifted(x: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        raised = np.exp(x)
        return raised / raised.sum(axis=-1, keepdims=True)


def _every_shift() -> list[Fields]:
    x = rows(4, *_WHOLE)
    shifts = (-1_000, -1, 0, 1, 1_000)
    return [{"ret": softmax(x), "shifted": softmax(x + np.float32(c))} for c in shifts]


def _softmax_cases() -> list[Case]:
    good = _softmax(_X)
    ret = good["ret"]
    whole = np.rint(_X)
    return [
        Case(
            "softmax-kernel-v1",
            "softmax",
            good,
            {
                "x < inf": {"x": _NAN},
                "row_max(x) > -inf": {"x": _MASKED_ROW},
                "Output is finite": {"ret": _unshifted(_X + np.float32(200))},
                "Every weight lies in [0, 1]": {"ret": planted(ret, (0, 1, 2), -1e-4)},
                "Output sums to 1": {"ret": scaled(ret, (2, 4))},
            },
            lambda: [_softmax(_extreme_rows())],
            5,
            _EXTREME_TEXT,
        ),
        Case(
            "softmax-kernel-v1",
            "masking",
            good,
            {
                "any(x == -inf)": {"x": np.where(np.isinf(_X), 0, _X)},
                "x < inf": {"x": planted(_X, (0, 0, 0), np.inf)},
                "row_max(x) > -inf": {"x": planted(_X, (0, 0), -np.inf)},
                "Masked entries get no weight": {"ret": softmax(np.maximum(_X, -10))},
            },
            lambda: [{"x": _extreme_rows(), "ret": masked_softmax(_extreme_rows())}],
            5,
            _EXTREME_TEXT,
        ),
        Case(
            "softmax-kernel-v1",
            "shift_invariance",
            {"ret": softmax(whole), "shifted": softmax(whole + np.float32(64))},
            {
                "shape(ret) == shape(shifted)": {"shifted": softmax(whole)[:, :1]},
                # An initial maximum of 0 instead of -inf: exponentials underflow once shifted down.
                "A shift of a row changes nothing": {"shifted": softmax(np.maximum(whole - 8, 0))},
            },
            _every_shift,
            5,
            "every row of 4 whole numbers from -2 to 2, shifted by -1000, -1, 0, 1 and 1000",
        ),
    ]


def _log_softmax_cases() -> list[Case]:
    ret = log_softmax(_X)
    unnormalised = _X - _X.max(axis=-1, keepdims=True)
    return [
        Case(
            "log-softmax-v1",
            "log_softmax",
            {"x": _X, "ret": ret},
            {
                "x < inf": {"x": planted(_X, (0, 0, 0), np.inf)},
                "row_max(x) > -inf": {"x": _MASKED_ROW},
                "Log-probabilities are not positive": {"ret": -ret},
                "Exponentials sum to 1": {"ret": unnormalised},
            },
            lambda: [{"x": _extreme_rows(), "ret": log_softmax(_extreme_rows())}],
            5,
            _EXTREME_TEXT,
        ),
        Case(
            "log-softmax-v1",
            "consistency",
            {"ret": ret, "softmax": softmax(_X)},
            {
                "shape(ret) == shape(softmax)": {"softmax": softmax(_X)[0]},
                "Agrees with softmax": {"softmax": softmax(_X / np.float32(0.9))},
            },
            lambda: [{"ret": log_softmax(_extreme_rows()), "softmax": softmax(_extreme_rows())}],
            5,
            _EXTREME_TEXT,
        ),
    ]


def _losses(logits: Array, targets: Array) -> Fields:
    return {"logits": logits, "targets": targets, "ret": cross_entropy(logits, targets)}


def _every_loss() -> list[Fields]:
    logits = rows(3, -1e4, -1, 0, 1, 1e4)
    return [_losses(logits, np.full(len(logits), target)) for target in range(3)]


def _every_mean() -> list[Fields]:
    return [{"losses": losses, "ret": mean_loss(losses)} for losses in rows(3, 0, 0.25, 1, 5, 1e4)]


def _every_perplexity() -> list[Fields]:
    nats = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    nats = nats[(nats >= 0) & (nats <= 88)].astype(np.float32)
    return [{"loss": nats, "ret": perplexity(nats)}]


def _cross_entropy_cases() -> list[Case]:
    logits = normal(9, 50, scale=4)
    good = _losses(logits, rng().integers(0, 50, 9))
    losses = good["ret"]
    return [
        Case(
            "cross-entropy-kernel-v1",
            "cross_entropy",
            good,
            {
                "where(logits == -inf, 0, abs(logits)) <= 1e38": {
                    "logits": planted(logits, (3, 3), np.nan)
                },
                "row_max(logits) > -inf": {"logits": planted(logits, 3, -np.inf)},
                "0 <= targets < shape(logits)[-1]": {"targets": planted(good["targets"], 4, -100)},
                "Loss is not negative": {"ret": -losses},
                "Loss is at most the spread of the logits plus log V": {"ret": losses * 1024},
            },
            _every_loss,
            5,
            "every row of 3 logits out of -1e4, -1, 0, 1 and 1e4, and each of its targets",
        ),
        Case(
            "cross-entropy-kernel-v1",
            "mean_loss",
            {"losses": losses, "ret": losses.mean()},
            {
                "all(isfinite(losses))": {"losses": planted(losses, 2, np.inf)},
                "Mean over the tokens that count": {"ret": losses.sum() / 16},
            },
            _every_mean,
            5,
            "every 3 losses out of 0, 0.25, 1, 5 and 1e4",
        ),
        Case(
            "cross-entropy-kernel-v1",
            "perplexity",
            {"loss": losses.mean(), "ret": np.exp(losses.mean())},
            {
                "loss >= 0": {"loss": -0.5},
                "loss <= 88": {"loss": 89.0},
                "Exponential of the loss in nats": {"ret": 2 ** losses.mean()},
            },
            _every_perplexity,
            1 << 16,
            "every float16 from 0 to 88",
        ),
    ]


CASES = [*_softmax_cases(), *_log_softmax_cases(), *_cross_entropy_cases()]
