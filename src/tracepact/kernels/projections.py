"""matmul-kernel-v1, linear-projection-v1 and bias-add-v1."""

from __future__ import annotations

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


@contract("matmul-kernel-v1", "matmul")
@contract("matmul-kernel-v1", "checksum")
def matmul(a: Array, b: Array) -> Array:
    """The product of a [m, k] and b [k, n]: [m, n] in the dtype of both, summed in float64."""
    return narrow(wide(a) @ wide(b), a, b)


@contract("linear-projection-v1", "projection")
@contract("linear-projection-v1", "checksum")
def linear(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    column_sums: Array | None = None,
    bias_sum: float = 0.0,
    weight_norm: float | None = None,
) -> Array:
    """`x · weightᵀ + bias`, summed in float64.

    Args:
        x: [T, in], finite.
        weight: [out, in].
        bias: [out]; None adds nothing.
        column_sums: Sums of the weight's columns [in] in float64; only a check reads these three.
        bias_sum: Sum of the bias.
        weight_norm: Frobenius norm of the weight.

    Returns:
        [T, out] in the dtype of x and weight.
    """
    exact = wide(x) @ wide(weight).T
    if bias is not None:
        exact = exact + wide(bias)
    return narrow(exact, x, weight)


@contract("bias-add-v1", "bias_add")
def bias_add(x: Array, bias: Array) -> Array:
    """`x + bias`; x [..., n], bias [n], in the dtype of both."""
    return narrow(wide(x) + wide(bias), x, bias)
