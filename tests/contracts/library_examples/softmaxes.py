"""softmax-kernel-v1, log-softmax-v1, cross-entropy-kernel-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, rng, scaled
from library_examples.kernels import log_softmax, log_sum_exp, softmax

from tracepact.types import Array

_X = planted(normal(3, 7, 33, scale=6), (1, slice(None), slice(20, None)), -np.inf)
_NAN = planted(_X, (0, 2, 5), np.nan)
_MASKED_ROW = planted(_X, (2, 3), -np.inf)


def _softmax(x: Array) -> Fields:
    return {"x": x, "ret": softmax(x)}


def _unshifted(x: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        raised = np.exp(x)
        return raised / raised.sum(axis=-1, keepdims=True)


def _softmax_cases() -> list[Case]:
    good = _softmax(_X)
    ret = good["ret"]
    small = grid(4)
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
            _softmax(small),
        ),
        Case(
            "softmax-kernel-v1",
            "masking",
            good,
            {
                "any(x == -inf)": {"x": np.where(np.isinf(_X), 0, _X)},
                "Masked entries get no weight": {"ret": softmax(np.maximum(_X, -10))},
            },
            _softmax(np.where(small < -1, -np.inf, small)[(small >= -1).any(axis=-1)]),
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
            {"ret": softmax(small), "shifted": softmax(small - 7)},
        ),
    ]


def _log_softmax_cases() -> list[Case]:
    ret = log_softmax(_X)
    unnormalised = _X - _X.max(axis=-1, keepdims=True)
    small = grid(4)
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
            {"x": small, "ret": log_softmax(small)},
        ),
        Case(
            "log-softmax-v1",
            "consistency",
            {"ret": ret, "softmax": softmax(_X)},
            {
                "shape(ret) == shape(softmax)": {"softmax": softmax(_X)[0]},
                "Agrees with softmax": {"softmax": softmax(_X / np.float32(0.9))},
            },
            {"ret": log_softmax(small), "softmax": softmax(small)},
        ),
    ]


def _losses(logits: Array, targets: Array) -> Fields:
    chosen = np.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    return {"logits": logits, "targets": targets, "ret": log_sum_exp(logits) - chosen}


def _cross_entropy_cases() -> list[Case]:
    logits = normal(9, 50, scale=4)
    good = _losses(logits, rng().integers(0, 50, 9))
    small = np.repeat(grid(3), 3, axis=0)
    losses = good["ret"]
    nats = np.linspace(0, 12, 40, dtype=np.float32)
    return [
        Case(
            "cross-entropy-kernel-v1",
            "cross_entropy",
            good,
            {
                "logits < inf": {"logits": planted(logits, (3, 3), np.nan)},
                "0 <= targets < shape(logits)[-1]": {"targets": planted(good["targets"], 4, -100)},
                "Loss is not negative": {"ret": -losses},
                "Loss is at most the spread of the logits plus log V": {"ret": losses * 1024},
            },
            _losses(small, np.tile([0, 1, 2], len(small) // 3)),
        ),
        Case(
            "cross-entropy-kernel-v1",
            "mean_loss",
            {"losses": losses, "ret": losses.mean()},
            {
                "all(isfinite(losses))": {"losses": planted(losses, 2, np.inf)},
                "Mean over the tokens that count": {"ret": losses.sum() / 16},
            },
            {"losses": small, "ret": small.mean()},
        ),
        Case(
            "cross-entropy-kernel-v1",
            "perplexity",
            {"loss": losses.mean(), "ret": np.exp(losses.mean())},
            {
                "loss >= 0": {"loss": -0.5},
                "Exponential of the loss in nats": {"ret": 2 ** losses.mean()},
            },
            {"loss": nats, "ret": np.exp(nats)},
        ),
    ]


CASES = [*_softmax_cases(), *_log_softmax_cases(), *_cross_entropy_cases()]
