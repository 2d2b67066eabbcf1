"""activation-kernel-v1."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array, FloatArray

_ERF: Final = np.frompyfunc(math.erf, 1, 1)


@contract("activation-kernel-v1", "relu")
def relu(x: Array) -> Array:
    """max(x, 0), element by element; x [...] without NaN, in its dtype."""
    ret: Array = np.maximum(x, x.dtype.type(0))
    return ret


@contract("activation-kernel-v1", "gelu")
def gelu(x: Array) -> Array:
    """`x · Phi(x)`, Phi by the error function; x [...] finite, in its dtype.

    One call of Python an element. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415.
    """
    exact = wide(x)
    upper = 0.5 * (1 + np.asarray(_ERF(exact / math.sqrt(2))).astype(np.float64))
    return narrow(exact * upper, x)


@contract("activation-kernel-v1", "gelu")
def gelu_tanh(x: Array) -> Array:
    """The tanh form of `gelu`, which GPT-2 and Gemma use; x [...] finite, in its dtype."""
    exact = wide(x)
    inner = math.sqrt(2 / math.pi) * (exact + 0.044715 * exact**3)
    return narrow(0.5 * exact * (1 + np.tanh(inner)), x)


@contract("activation-kernel-v1", "silu")
@contract("activation-kernel-v1", "finite")
def silu(x: Array) -> Array:
    """`x / (1 + exp(-x))`; x [...] finite, in its dtype.

    Source: Elfwing, Uchibe & Doya 2017, arXiv:1702.03118.
    """
    return narrow(wide(x) * _sigmoid(x), x)


@contract("activation-kernel-v1", "swiglu")
@contract("activation-kernel-v1", "finite")
def swiglu(gate: Array, up: Array) -> Array:
    """`silu(gate) · up`; gate and up [T, ff], finite, in the dtype of both.

    Source: Shazeer 2020, arXiv:2002.05202.
    """
    return narrow(wide(gate) * _sigmoid(gate) * wide(up), gate, up)


def _sigmoid(x: Array) -> FloatArray:
    """1 / (1 + exp(-x)) in float64; exp of a negative number alone, so nothing overflows."""
    exact = wide(x)
    with np.errstate(under="ignore"):
        small = np.exp(-np.abs(exact))
    return np.where(exact >= 0, 1 / (1 + small), small / (1 + small))
