"""What one call of a kernel costs: bytes, floating-point operations and NumPy calls.

Counted from shapes, not measured. Bytes are those that the operation cannot avoid: every input
and the result once. A view costs nothing, so the KV cache counts with the positions in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tracepact.model.bricks import KV_CACHE_WRITE, QK_NORM
from tracepact.profiling.budget import BrickCost, GrowingCost
from tracepact.types import Array, BrickId

# Operations an element, of kernels that work element by element. An exponential counts as one.
_RMS_NORM_FLOPS: Final = 4
_ROPE_FLOPS: Final = 3
_SOFTMAX_FLOPS: Final = 5
_SWIGLU_FLOPS: Final = 5

# Calls into NumPy of each kernel, views included: each pays the interpreter's overhead.
_LINEAR_CALLS: Final = 2
_RMS_NORM_CALLS: Final = 7
_ROPE_CALLS: Final = 13
_CACHE_WRITE_CALLS: Final = 3
_SCORES_CALLS: Final = 7
_MASK_CALLS: Final = 4
_SOFTMAX_CALLS: Final = 5
_OUTPUT_CALLS: Final = 5
_SWIGLU_CALLS: Final = 6


def brick_cost(brick: str, inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    """Cost of one call of a brick of the reference engine.

    Args:
        brick: its name; of an unknown one, arrays in and out count once and one operation an
            element of the result.
        inputs: the fields that its kernel was called with; those for checks only do not count.
        ret: what it returned.
    """
    return _COSTS.get(brick, _elementwise)(inputs, ret)


_BY_POSITIONS: Final[dict[str, Mapping[str, int]]] = {
    # brick: the axis of each field that runs over the positions in use
    BrickId.AttentionScore: {"keys": 1, "ret": -1},
    BrickId.AttentionSoftmax: {"x": -1, "ret": -1},
    BrickId.AttentionOutput: {"weights": -1, "values": 1},
}


def repeated_cost(brick: str, inputs: Mapping[str, Any], ret: Array) -> BrickCost | GrowingCost:
    """Cost of every call of a brick with one token; it grows with the positions in use, if at all.

    Args:
        brick: as in `brick_cost`.
        inputs: fields of one such call.
        ret: its result.
    """
    axes = _BY_POSITIONS.get(brick)
    if axes is None:
        return brick_cost(brick, inputs, ret)
    none, one = (brick_cost(brick, *_cut(axes, positions, inputs, ret)) for positions in (0, 1))
    step = BrickCost(one.bytes_moved - none.bytes_moved, one.flops - none.flops, 0)
    return GrowingCost(none, step)


def _cut(
    axes: Mapping[str, int], positions: int, inputs: Mapping[str, Any], ret: Array
) -> tuple[dict[str, Any], Array]:
    fields = {**inputs, "ret": ret}
    for name, axis in axes.items():
        fields[name] = np.moveaxis(np.moveaxis(fields[name], axis, 0)[:positions], 0, axis)
    ret = fields.pop("ret")
    return fields, ret


def _linear(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    weight, bias = inputs["weight"], inputs.get("bias")
    moved = weight.nbytes + inputs["x"].nbytes + ret.nbytes
    flops = 2 * weight.size * (ret.size // weight.shape[0])
    if bias is None:
        return BrickCost(moved, flops, _LINEAR_CALLS)
    return BrickCost(moved + bias.nbytes, flops + ret.size, _LINEAR_CALLS + 1)


def _embedding(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    return BrickCost(inputs["tokens"].nbytes + 2 * ret.nbytes, 0, 1)


def _rms_norm(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    moved = 2 * ret.nbytes + inputs["weight"].nbytes
    return BrickCost(moved, _RMS_NORM_FLOPS * ret.size, _RMS_NORM_CALLS)


def _rope(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    moved = 2 * ret.nbytes + inputs["cos"].nbytes + inputs["sin"].nbytes
    return BrickCost(moved, _ROPE_FLOPS * ret.size, _ROPE_CALLS)


def _cache_write(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    return BrickCost(2 * ret.nbytes, 0, _CACHE_WRITE_CALLS)


def _scores(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    x, keys = inputs["x"], inputs["keys"]
    flops = 2 * ret.size * x.shape[-1] + x.size
    calls = _SCORES_CALLS + (_MASK_CALLS if x.shape[0] > 1 else 0)
    return BrickCost(x.nbytes + keys.nbytes + ret.nbytes, flops, calls)


def _softmax(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    return BrickCost(2 * ret.nbytes, _SOFTMAX_FLOPS * ret.size, _SOFTMAX_CALLS)


def _attention_output(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    weights, values = inputs["weights"], inputs["values"]
    moved = weights.nbytes + values.nbytes + ret.nbytes
    return BrickCost(moved, 2 * weights.size * values.shape[-1], _OUTPUT_CALLS)


def _swiglu(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    return BrickCost(3 * ret.nbytes, _SWIGLU_FLOPS * ret.size, _SWIGLU_CALLS)


def _elementwise(inputs: Mapping[str, Any], ret: Array) -> BrickCost:
    read = sum(getattr(value, "nbytes", 0) for value in inputs.values())
    return BrickCost(read + ret.nbytes, ret.size, 1)


_COSTS: Final[dict[str, Callable[[Mapping[str, Any], Array], BrickCost]]] = {
    BrickId.Embedding: _embedding,
    BrickId.RmsNorm: _rms_norm,
    QK_NORM: _rms_norm,
    BrickId.QkvProjection: _linear,
    BrickId.RopeEmbedding: _rope,
    KV_CACHE_WRITE: _cache_write,
    BrickId.AttentionScore: _scores,
    BrickId.AttentionSoftmax: _softmax,
    BrickId.AttentionOutput: _attention_output,
    BrickId.OutputProjection: _linear,
    BrickId.GateProjection: _linear,
    BrickId.UpProjection: _linear,
    BrickId.Activation: _swiglu,
    BrickId.DownProjection: _linear,
    BrickId.LmHead: _linear,
}
