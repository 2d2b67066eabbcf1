"""`--reference`: compare every tensor of a quantised file with the same tensor in a finer type."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.errors import ConfigError
from tracepact.model import ModelTracer
from tracepact.model.quantisation import QuantisationRecord, error_threshold
from tracepact.types import BrickId

_BLOCK: Final = re.compile(r"blk\.(\d+)\.(\w+)\.")
_BRICKS: Final = MappingProxyType(
    {
        "attn_q": BrickId.QkvProjection,
        "attn_k": BrickId.QkvProjection,
        "attn_v": BrickId.QkvProjection,
        "attn_output": BrickId.OutputProjection,
        "ffn_gate": BrickId.GateProjection,
        "ffn_up": BrickId.UpProjection,
        "ffn_down": BrickId.DownProjection,
        "attn_norm": BrickId.RmsNorm,
        "ffn_norm": BrickId.RmsNorm,
        "output_norm": BrickId.RmsNorm,
        "token_embd": BrickId.Embedding,
        "output": BrickId.LmHead,
    }
)


def compare_with_reference(
    file: GgufFile, reference: Path, tracer: ModelTracer
) -> list[QuantisationRecord]:
    """Hand every tensor and its counterpart to MLT-04.

    Args:
        file: The model that is run.
        reference: A GGUF file with tensors of the same names and shapes.
        tracer: Checks and records, as a pass of its own before the first forward pass.

    Raises:
        ModelFileError: The reference cannot be read.
        ConfigError: It is not the same model: a tensor is missing or has another shape.

    Reads both files once; takes the memory of the largest tensor twice.
    """
    other = GgufFile(reference)
    tracer.begin_forward(0)
    for name, tensor in file.tensors.items():
        counterpart = other.tensors.get(name)
        if counterpart is None or counterpart.shape != tensor.shape:
            found = "none" if counterpart is None else str(list(counterpart.shape))
            raise ConfigError(
                f"{reference} is no reference for {file.path}: tensor {name!r} should have "
                f"shape {list(tensor.shape)}, there is {found}"
            )
        value = np.empty(tensor.shape, np.float32)
        expected = np.empty(tensor.shape, np.float32)
        file.dequantise_into(tensor, value)
        other.dequantise_into(counterpart, expected)
        layer, brick = _place(name)
        tracer.record_quantisation(
            name,
            tensor.type.name,
            expected,
            value,
            threshold=error_threshold(tensor.type.name),
            layer=layer,
            brick=brick,
        )
    return list(tracer.end_forward().quantisation)


def _place(tensor: str) -> tuple[int | None, str | None]:
    """Layer and brick that use a tensor."""
    block = _BLOCK.match(tensor)
    stem = block[2] if block else tensor.split(".", 1)[0]
    return (int(block[1]) if block else None), _BRICKS.get(stem)
