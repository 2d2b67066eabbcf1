"""A weight matrix in memory, its checksums, and the tensors that it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import TensorInfo
from tracepact.errors import ConfigError
from tracepact.types import Array, FloatArray

_CHECKSUM_ROWS: Final = 128
"""Rows summed at a time: their float64 copy stays in the cache."""


@dataclass(frozen=True, eq=False)
class Linear:
    """`x · weightᵀ + bias`, with what is needed to check a product without computing it again.

    The checksums are taken on first use and kept. So that a later change of the weight shows, ask
    for them before (`ReferenceModel.load(…, checksums=True)`). Source: Huang & Abraham 1984,
    "Algorithm-based fault tolerance for matrix operations".

    Attributes:
        weight: float32 [out, in], one row an output.
        bias: float32 [out], or None.
        sources: the file's matrices whose rows follow each other in `weight`; they tell the
            quantisation too.
    """

    weight: Array
    bias: Array | None
    sources: tuple[TensorInfo, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of weight and bias in memory."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)

    @cached_property
    def name(self) -> str:
        """Names of the file's matrices."""
        return "+".join(source.name for source in self.sources)

    @cached_property
    def type_names(self) -> str:
        """Names of their storage types, each once."""
        return "+".join(dict.fromkeys(source.type.name for source in self.sources))

    @cached_property
    def column_sums(self) -> FloatArray:
        """Sum of the weight's rows, float64 [in]; with `row_norms` about 0.8 ns an element."""
        return self._checksums[0]

    @cached_property
    def row_norms(self) -> FloatArray:
        """L2 norm of each row of the weight, float64 [out]."""
        return self._checksums[1]

    @cached_property
    def narrow_row_norms(self) -> Array:
        """`row_norms` as float32 [out]: half the bytes where every token reads all of them."""
        return self.row_norms.astype(np.float32)

    @cached_property
    def weight_norm(self) -> float:
        """Frobenius norm of the weight."""
        return math.sqrt(float(np.square(self.row_norms).sum()))

    @cached_property
    def bias_sum(self) -> float:
        """Sum of the bias; 0.0 without one."""
        return 0.0 if self.bias is None else float(self.bias.sum(dtype=np.float64))

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """What the kernel `linear` needs beside x."""
        return {"weight": self.weight, "bias": self.bias}

    @cached_property
    def checked_inputs(self) -> dict[str, Any]:
        """`inputs` and what the checksum contract needs."""
        return self.inputs | {
            "column_sums": self.column_sums,
            "bias_sum": self.bias_sum,
            "weight_norm": self.weight_norm,
        }

    def dequantise_rows(self, file: GgufFile, rows: Array) -> Array:
        """Rows of the weight as the file has them, whatever happened to the copy in memory.

        Args:
            file: the file that `sources` belong to.
            rows: int [n], each in [0, out).

        Returns:
            float32 [n, in].

        Raises:
            ConfigError: there is no such row.
        """
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self.weight):
            raise ConfigError(
                f"rows {rows.min()} to {rows.max()} are not all among the {len(self.weight)} rows "
                f"of {self.sources[0].name}"
            )
        ret = np.empty((len(rows), self.weight.shape[1]), dtype=np.float32)
        first = 0
        for source in self.sources:
            inside = (rows >= first) & (rows < first + source.shape[0])
            if inside.any():
                ret[inside] = file.dequantise_rows(source, rows[inside] - first)
            first += source.shape[0]
        return ret

    @cached_property
    def _checksums(self) -> tuple[FloatArray, FloatArray]:
        rows, columns = self.weight.shape
        column_sums = np.zeros(columns)
        row_squares = np.empty(rows)
        with np.errstate(all="ignore"):  # a damaged weight is for the checks to report
            for start in range(0, rows, _CHECKSUM_ROWS):
                block = self.weight[start : start + _CHECKSUM_ROWS].astype(np.float64)
                column_sums += block.sum(axis=0)
                np.einsum("ij,ij->i", block, block, out=row_squares[start : start + len(block)])
            return column_sums, np.sqrt(row_squares)
