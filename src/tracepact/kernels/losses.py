"""cross-entropy-kernel-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.kernels.softmaxes import log_softmax
from tracepact.types import Array


@contract("cross-entropy-kernel-v1", "cross_entropy")
def cross_entropy(logits: Array, targets: Array) -> Array:
    """Loss of each token in nats: the negative log-probability of its target.

    Args:
        logits: [N, V] of finite numbers and -inf.
        targets: [N], whole numbers in [0, V).

    Returns:
        [N] in the dtype of logits.
    """
    chosen = np.take_along_axis(log_softmax(x=wide(logits)), targets[:, None], axis=-1)
    return narrow(-chosen[:, 0], logits)


@contract("cross-entropy-kernel-v1", "mean_loss")
def mean_loss(losses: Array) -> float:
    """Mean of the losses [N] of the tokens that count, in float64."""
    return float(wide(losses).mean())


@contract("cross-entropy-kernel-v1", "perplexity")
def perplexity(loss: Array) -> Array:
    """exp(loss) of a loss in nats (of any shape); float64."""
    return np.exp(wide(loss))
