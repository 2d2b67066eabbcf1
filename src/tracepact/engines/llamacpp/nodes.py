"""Which brick of which layer a node of a graph is, and where the fields of its contract are.

Nodes are recognised by the weights that they take, whose names are those of the GGUF format in
every llama.cpp, and by their operation; names of nodes, which differ, decide only what has no
weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tracepact.engines.llamacpp.tensors import Path, Tensor
from tracepact.model.bricks import QK_NORM, RESIDUAL
from tracepact.types import BrickId

FEED_FORWARD: Final = "FeedForward"
"""Gate, up and activation in one fused operation."""

FUSED_ATTENTION: Final = "FusedAttention"
"""Scores, softmax and output in one operation, which leaves no rows to look at."""

_WEIGHT: Final = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.weight")
_BIAS: Final = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.bias")
_SUFFIX: Final = re.compile(r"([a-z_]+)-(\d+)")

_PRODUCTS: Final = MappingProxyType(
    {
        "attn_q": BrickId.QkvProjection,
        "attn_k": BrickId.QkvProjection,
        "attn_v": BrickId.QkvProjection,
        "attn_qkv": BrickId.QkvProjection,
        "attn_output": BrickId.OutputProjection,
        "ffn_gate": BrickId.GateProjection,
        "ffn_up": BrickId.UpProjection,
        "ffn_down": BrickId.DownProjection,
        "ffn_gate_exps": BrickId.GateProjection,
        "ffn_up_exps": BrickId.UpProjection,
        "ffn_down_exps": BrickId.DownProjection,
        "output": BrickId.LmHead,
        "token_embd": BrickId.LmHead,
    }
)
_POINTS: Final = MappingProxyType(
    {BrickId.OutputProjection: "post-attention", BrickId.DownProjection: "post-ffn"}
)
_NAMED: Final = MappingProxyType(
    {
        "kq": BrickId.AttentionScore,
        "kqv": BrickId.AttentionOutput,
        "l_out": RESIDUAL,
        "ffn_swiglu": BrickId.Activation,
        "ffn_inp": RESIDUAL,
    }
)
_QK_NORMS: Final = frozenset({"attn_q_norm", "attn_k_norm"})


@dataclass(frozen=True, slots=True)
class Field:
    """Where a field of a contract is: a tensor by its path and number of axes, or a number."""

    name: str
    where: Path | float
    axes: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is checked at a node.

    Attributes:
        brick: Whose contract; for MLT-01 alone, what computed it.
        layer: Index, None outside the layers.
        fields: Where they are.
        points: Points of MLT-01 and their layers, where these are all that is checked: one tensor
            may end a layer and begin the next one.
    """

    brick: str | None
    layer: int | None
    fields: tuple[Field, ...]
    points: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """What a node is.

    Attributes:
        brick: For the profiler; any name.
        layer: Index, None outside the layers.
        parts: What is checked, in order of execution.
        weight: Name of the matrix that a product takes.
        is_fused_attention: Whether its rows have to be computed anew.
    """

    brick: str
    layer: int | None
    parts: tuple[Part, ...] = ()
    weight: str | None = None
    is_fused_attention: bool = False


def node_of(tensor: Tensor, layers: int) -> Node | None:
    """What a node is; None for one that is none of a model's bricks.

    Args:
        tensor: The node.
        layers: How many the model has.
    """
    operation = tensor.operation
    if operation in ("MUL_MAT", "MUL_MAT_ID"):
        return _product(tensor) or _named(tensor, layers)
    if operation in ("FUSED_RMS_NORM", "FUSED_NORM", "MUL", "ADD"):
        return _norm(tensor) or _named(tensor, layers)
    if operation == "SOFT_MAX":
        return _softmax(tensor)
    if operation == "FLASH_ATTN_EXT":
        layer = _layer_of(tensor)
        return None if layer is None else Node(FUSED_ATTENTION, layer, is_fused_attention=True)
    if operation == "GET_ROWS" and _weight(tensor.source(0)) == (None, "token_embd"):
        return Node(BrickId.Embedding, None)
    if operation == "ROPE":
        layer = _layer_of(tensor)
        return None if layer is None else Node(BrickId.RopeEmbedding, layer)
    if operation == "FUSED_UP_GATE":
        of = _weight(tensor.source(0))
        return None if of is None else Node(FEED_FORWARD, of[0])
    return _named(tensor, layers)


def _product(tensor: Tensor) -> Node | None:
    of = _weight(tensor.source(0))
    if of is None or of[1] not in _PRODUCTS:
        return None
    layer, part = of
    brick = _PRODUCTS[part]
    weight = tensor.source(0)
    assert weight is not None, "it has a name"
    name = weight.name if tensor.operation == "MUL_MAT" else None
    point = _POINTS.get(brick)
    if point is None or layer is None:
        return Node(brick, layer, (), name)
    axes = 2 if tensor.operation == "MUL_MAT" else 3
    checked = Part(brick, layer, (Field("ret", (), axes),), ((point, layer),))
    return Node(brick, layer, (checked,), name)


def _norm(tensor: Tensor) -> Node | None:
    """A norm with its weight; the bias of a LayerNorm is added last."""
    found = _rms_norm(tensor) or _layer_norm(tensor)
    if found is None:
        return None
    (layer, part), fields = found
    x = Field("ret", next(f.where for f in fields if f.name == "x"), 2)
    is_layer_norm = any(f.name == "bias" for f in fields)
    brick: str = BrickId.LayerNorm if is_layer_norm else BrickId.RmsNorm
    before: list[Part] = []
    if part in _QK_NORMS:
        brick = QK_NORM
        fields = tuple(_by_head(field) for field in fields)
    elif part == "attn_norm" and layer is not None:
        ends = (("output", layer - 1),) if layer > 0 else ()
        before.append(Part(None, layer, (x,), (*ends, ("input", layer))))
    return Node(brick, layer, (*before, Part(brick, layer, fields)))


def _by_head(field: Field) -> Field:
    return Field(field.name, field.where, 3) if field.axes == 2 else field


_Norm = tuple[tuple[int | None, str], tuple[Field, ...]]


def _rms_norm(tensor: Tensor) -> _Norm | None:
    of = _weight(tensor.source(1))
    if of is None:
        return None
    x: Path
    if tensor.operation == "FUSED_RMS_NORM":
        x, eps = (0,), tensor.parameter(0)
    else:
        norm = tensor.source(0)
        if tensor.operation != "MUL" or norm is None or norm.operation != "RMS_NORM":
            return None
        x, eps = (0, 0), norm.parameter(0)
    fields = (Field("x", x, 2), Field("weight", (1,), 1), Field("eps", eps), Field("ret", (), 2))
    return of, fields


def _layer_norm(tensor: Tensor) -> _Norm | None:
    scaled, bias = tensor.source(0), tensor.source(1)
    if tensor.operation != "ADD" or scaled is None or bias is None or not _BIAS.match(bias.name):
        return None
    of = _weight(scaled.source(1))
    if of is None:
        return None
    x: Path
    if scaled.operation == "FUSED_NORM":
        x, eps = (0, 0), scaled.parameter(0)
    else:
        norm = scaled.source(0)
        if scaled.operation != "MUL" or norm is None or norm.operation != "NORM":
            return None
        x, eps = (0, 0, 0), norm.parameter(0)
    return of, (
        Field("x", x, 2),
        Field("weight", (0, 1), 1),
        Field("bias", (1,), 1),
        Field("eps", eps),
        Field("ret", (), 2),
    )


def _softmax(tensor: Tensor) -> Node | None:
    layer = _layer_of(tensor)
    if layer is None or not tensor.name.startswith("kq_soft_max"):
        return None
    if tensor.source(2) is not None:  # sinks take a part of each row
        return Node(BrickId.AttentionSoftmax, layer)
    part = Part(BrickId.AttentionSoftmax, layer, (Field("ret", (), 3),))
    return Node(BrickId.AttentionSoftmax, layer, (part,))


def _named(tensor: Tensor, layers: int) -> Node | None:
    match = _SUFFIX.fullmatch(tensor.name)
    if match is None or match[1] not in _NAMED:
        return None
    layer = int(match[2])
    if match[1] == "l_out" and layer == layers - 1:
        # Of the other layers it is what the next one begins with.
        part = Part(None, layer, (Field("ret", (), 2),), (("output", layer),))
        return Node(RESIDUAL, layer, (part,))
    return Node(_NAMED[match[1]], layer)


def _layer_of(tensor: Tensor) -> int | None:
    """By its own name or that of what it was computed from."""
    seen: Tensor | None = tensor
    for _ in range(4):
        if seen is None:
            return None
        match = re.search(r"(?:-|_l)(\d+)\b", seen.name)
        if match is not None:
            return int(match[1])
        seen = seen.source(0)
    return None


def _weight(tensor: Tensor | None) -> tuple[int | None, str] | None:
    """Layer and part of a weight; None for any other tensor."""
    if tensor is None:
        return None
    match = _WEIGHT.fullmatch(tensor.name)
    return None if match is None else (int(match[1]) if match[1] else None, match[2])
