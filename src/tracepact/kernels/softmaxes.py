"""softmax-kernel-v1, log-softmax-v1, and the log-sum-exp of flash-attention-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


@contract("softmax-kernel-v1", "softmax")
@contract("softmax-kernel-v1", "shift_invariance")
def softmax(x: Array, shifted: Array | None = None) -> Array:
    """Softmax along the last axis.

    Args:
        x: [..., n] of finite numbers and -inf; a finite one in each row.
        shifted: Softmax of the same rows with a constant added to each; only a check reads it.

    Returns:
        [..., n] in the dtype of x.

    Source: Bridle 1990.
    """
    powers = _powers(x)
    return narrow(powers / powers.sum(axis=-1, keepdims=True), x)


@contract("softmax-kernel-v1", "masking")
def masked_softmax(x: Array) -> Array:
    """Softmax of rows x [..., n] some of whose entries are -inf, which get exactly no weight."""
    return softmax(x)


@contract("log-softmax-v1", "log_softmax")
@contract("log-softmax-v1", "consistency")
def log_softmax(x: Array, softmax: Array | None = None) -> Array:
    """Logarithm of the softmax along the last axis.

    Args:
        x: [..., n] of finite numbers and -inf; a finite one in each row.
        softmax: Softmax of the same rows; only a check reads it.

    Returns:
        [..., n] in the dtype of x; -inf where x is.
    """
    shifted = wide(x) - wide(x).max(axis=-1, keepdims=True)
    return narrow(shifted - np.log(_powers(x).sum(axis=-1, keepdims=True)), x)


@contract("flash-attention-v1", "log_sum_exp", bind={"lse": "ret"})
def log_sum_exp(scores: Array, score_max: Array | None = None, keys: int | None = None) -> Array:
    """`log(sum(exp(scores)))` along the last axis.

    Args:
        scores: [..., n] of finite numbers and -inf; a finite one in each row.
        score_max: Largest of each row [...]; only a check reads it.
        keys: n; only a check reads it.

    Returns:
        [...] in the dtype of scores.

    Source: Blanchard, Higham & Higham 2021.
    """
    top = wide(scores).max(axis=-1)
    return narrow(top + np.log(_powers(scores).sum(axis=-1)), scores)


def _powers(x: Array) -> Array:
    """exp(x - max) along the last axis, in float64: at most 1, and 1 once a row."""
    exact = wide(x)
    with np.errstate(under="ignore"):
        ret: Array = np.exp(exact - exact.max(axis=-1, keepdims=True))
        return ret
