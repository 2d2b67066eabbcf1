"""Open a GGUF file: metadata, and tensors as views into the memory map."""

from __future__ import annotations

import mmap
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Never

import numpy as np

from tracepact.engines.reference.gguf_header import (
    DOWNLOAD_AGAIN,
    HeaderReader,
    MetadataValue,
    TensorInfo,
    count_elements,
    show,
)
from tracepact.engines.reference.gguf_package import GGML_QUANT_SIZES, dequantize
from tracepact.errors import ModelFileError
from tracepact.types import Array

_CHUNK_ELEMENTS: Final = 1 << 18
"""Elements dequantised at a time: large enough to amortise NumPy's calls, small enough for L2."""


class GgufFile:
    """A GGUF file that has been checked from its first byte to its last tensor's end.

    Attributes:
        path: of the file.
        metadata: key to value; numeric arrays are NumPy views, arrays of strings are lists.
        tensors: name to `TensorInfo`, in file order.

    Raises:
        ModelFileError: the file cannot be read, or is not a GGUF file that can be trusted.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._map = _map_file(self.path)
        header = HeaderReader(self.path, self._map)
        self.metadata: Mapping[str, MetadataValue] = MappingProxyType(header.metadata)
        self.tensors: Mapping[str, TensorInfo] = MappingProxyType(header.tensors)

    def fail(self, what: str, next_step: str) -> Never:
        """Raise the `ModelFileError` that says what is wrong with this file and what to do."""
        raise ModelFileError(f"{self.path}: {what}; {next_step}")

    def raw(self, tensor: TensorInfo) -> Array:
        """The stored bytes of a tensor, uint8 [rows, bytes per row], as a read-only view."""
        data = np.frombuffer(self._map, np.uint8, tensor.size, tensor.offset)
        return data.reshape(-1, tensor.size * tensor.shape[-1] // count_elements(tensor.shape))

    def dequantise_into(self, tensor: TensorInfo, out: Array) -> None:
        """Write a tensor's elements to `out`, float32 and contiguous with as many elements."""
        block_elements, block_bytes = GGML_QUANT_SIZES[tensor.type]
        blocks = self.raw(tensor).reshape(-1, block_bytes)
        target = out.reshape(-1, block_elements)
        step = max(1, _CHUNK_ELEMENTS // block_elements)
        for start in range(0, len(blocks), step):
            elements = self._dequantise(tensor, blocks[start : start + step])
            target[start : start + step] = elements.reshape(-1, block_elements)

    def dequantise_rows(self, tensor: TensorInfo, rows: Array) -> Array:
        """Some rows of a matrix, float32 [len(rows), columns], straight from the file."""
        return self._dequantise(tensor, self.raw(tensor)[rows]).reshape(len(rows), -1)

    def _dequantise(self, tensor: TensorInfo, data: Array) -> Array:
        # One long row: dequantisation works block by block, and few long rows are 15 times faster
        # than many short ones.
        data = data.reshape(1, -1)
        try:
            # NaN and Inf in a file are for the checks to find, not for NumPy to warn about.
            with np.errstate(all="ignore"):
                ret: Array = dequantize(data, tensor.type)
        except NotImplementedError:
            self.fail(
                f"tensor {show(tensor.name)} has type {tensor.type.name}, which cannot be "
                f"dequantised",
                "convert the model to another quantisation such as Q8_0",
            )
        return ret


def _map_file(path: Path) -> mmap.mmap:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # asked first: opening a pipe would block
            raise ModelFileError(f"{path}: not a regular file; give the path of a .gguf file")
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be opened ({error.strerror or error}); check the path"
        ) from None
    except ValueError:
        raise ModelFileError(f"{path}: the file is empty; {DOWNLOAD_AGAIN}") from None
