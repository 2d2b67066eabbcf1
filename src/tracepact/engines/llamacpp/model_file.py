"""The GGUF file of a model: what its weights ought to be."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tracepact.core import row_reduce
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.types import Array

_ROWS: Final = 1024
"""Rows of the output matrix that are dequantised at a time."""


class ModelFile:
    """Weights of a file, dequantised a few rows at a time.

    Args:
        path: A GGUF file; the first one of a model in several.

    Raises:
        ModelFileError: It cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = GgufFile(path)
        self._norms: dict[str, Array] = {}
        self._vectors: dict[str, Array | None] = {}

    def type_of(self, name: str) -> str | None:
        """Name of the type that a tensor is stored in, as in `Q4_1`; None where it is not here."""
        info = self._file.tensors.get(name)
        return None if info is None else str(info.type.name)

    def row_count(self, name: str) -> int:
        """Rows of a matrix, that is outputs of its product."""
        return int(self._file.tensors[name].shape[0])

    def rows(self, name: str, rows: Array) -> Array:
        """Some rows of a matrix, float32 [len(rows), columns]."""
        return self._file.dequantise_rows(self._file.tensors[name], rows)

    def row_norms(self, name: str) -> Array:
        """L2 norm of each row of a matrix, float32; taken once, in some 0.1 s for 28 M weights."""
        if name not in self._norms:
            everything = np.arange(self.row_count(name))
            parts = [
                row_reduce("row_norms", self.rows(name, everything[first : first + _ROWS]))
                for first in range(0, len(everything), _ROWS)
            ]
            self._norms[name] = np.concatenate(parts).astype(np.float32)
        return self._norms[name]

    def vector(self, name: str) -> Array | None:
        """A bias or the weight of a norm, float32; None where it is not here."""
        if name not in self._vectors:
            info, out = self._file.tensors.get(name), None
            if info is not None:
                out = np.empty(info.shape, np.float32)
                self._file.dequantise_into(info, out)
            self._vectors[name] = out
        return self._vectors[name]

    def number(self, key: str, default: float) -> float:
        """A number of the metadata, by its name behind the architecture's."""
        architecture = self._file.metadata.get("general.architecture")
        value = self._file.metadata.get(f"{architecture}.{key}", default)
        return float(value) if isinstance(value, int | float) else default

    def final_norm(self, x: Array) -> Array:
        """The norm before the output matrix, of [n, d] float32."""
        weight, bias = self.vector("output_norm.weight"), self.vector("output_norm.bias")
        if bias is not None:
            x = x - x.mean(-1, keepdims=True)
        key = "layer_norm_epsilon" if bias is not None else "layer_norm_rms_epsilon"
        eps = self.number(f"attention.{key}", 1e-5)
        out: Array = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + eps)
        out = out if weight is None else out * weight
        return out if bias is None else out + bias
