"""The header of a GGUF file: metadata and where the tensors lie, every length checked.

The `gguf` package defines the constants; the header is read here, because its reader makes one
NumPy view for every array element (3 s for a vocabulary of 49 152, this one 0.1 s) and believes
every length that a file states. Nothing here is allocated by a number from the file before that
number was checked against the file's size.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Never, TypeAlias

import numpy as np

from tracepact.engines.reference.gguf_package import (
    GGML_QUANT_SIZES,
    GGMLQuantizationType,
    GGUFValueType,
)
from tracepact.errors import ModelFileError
from tracepact.types import Array

MetadataValue: TypeAlias = "str | int | float | bool | list[str] | Array"

_SUPPORTED_VERSIONS: Final = (2, 3)
_DEFAULT_ALIGNMENT: Final = 32
_MAX_DIMENSIONS: Final = 4
_MAX_KEY_BYTES: Final = 65535

_HEADER: Final = struct.Struct("<4sIQQ")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_ARRAY: Final = struct.Struct("<IQ")
_SCALARS: Final = {
    GGUFValueType.UINT8: struct.Struct("<B"),
    GGUFValueType.INT8: struct.Struct("<b"),
    GGUFValueType.UINT16: struct.Struct("<H"),
    GGUFValueType.INT16: struct.Struct("<h"),
    GGUFValueType.UINT32: struct.Struct("<I"),
    GGUFValueType.INT32: struct.Struct("<i"),
    GGUFValueType.FLOAT32: struct.Struct("<f"),
    GGUFValueType.BOOL: struct.Struct("<?"),
    GGUFValueType.UINT64: struct.Struct("<Q"),
    GGUFValueType.INT64: struct.Struct("<q"),
    GGUFValueType.FLOAT64: struct.Struct("<d"),
}
DOWNLOAD_AGAIN: Final = "the file is damaged or incomplete, copy or download it again"
_CONVERT_AGAIN: Final = "the file is damaged or was written wrongly, convert the model again"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where a tensor lies in the file and how it is stored.

    Attributes:
        name: as in the file, for example "blk.0.attn_q.weight".
        shape: in NumPy order, [rows, columns] for a matrix.
        type: how the elements are stored.
        offset: of the first byte, from the start of the file.
        size: in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    size: int


def show(name: object) -> str:
    """A name or value from the file, quoted and bounded, so that an error stays one short line."""
    text = " ".join(repr(name).split())
    return text if len(text) <= 80 else f"{text[:76]}…{text[-1]}"


class HeaderReader:
    """Walks once through header, metadata and tensor infos.

    Attributes:
        metadata: key to value; numeric arrays are NumPy views, arrays of strings are lists.
        tensors: name to `TensorInfo`, in file order.

    Raises:
        ModelFileError: something in the header cannot be trusted.
    """

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._size = len(data)
        self._position = 0
        self._where = "the header"
        self.metadata: dict[str, MetadataValue] = {}
        self.tensors: dict[str, TensorInfo] = {}
        tensor_count, metadata_count = self._header()
        self._read_metadata(metadata_count)
        self._read_tensors(tensor_count)

    def _fail(self, what: str, next_step: str = _CONVERT_AGAIN) -> Never:
        raise ModelFileError(f"{self._path}: {what}; {next_step}")

    def _unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._need(layout.size)
        values = layout.unpack_from(self._data, self._position)
        self._position += layout.size
        return values

    def _need(self, size: int) -> None:
        """The one place where a length from the file meets the file's size."""
        if size > self._size - self._position:
            self._fail(
                f"{self._where} needs {size} bytes at offset {self._position}, but the file ends "
                f"at {self._size}",
                DOWNLOAD_AGAIN,
            )

    def _header(self) -> tuple[int, int]:
        magic, version, tensor_count, metadata_count = self._unpack(_HEADER)
        if magic != b"GGUF":
            self._fail(f"not a GGUF file, it starts with {magic!r}", "give a .gguf file")
        if version not in _SUPPORTED_VERSIONS:
            if version & 0xFFFF == 0:
                self._fail("a big-endian GGUF file", "convert the model for little-endian machines")
            self._fail(
                f"GGUF version {version} is not supported, only 2 and 3 are",
                "convert the model again with a current converter",
            )
        return tensor_count, metadata_count

    def _read_metadata(self, count: int) -> None:
        for index in range(count):
            self._where = f"metadata entry {index + 1} of {count}"
            key = self._key()
            self._where = f"metadata {show(key)}"
            (code,) = self._unpack(_U32)
            value = self._value(code)
            if key in self.metadata:
                self._fail(f"{self._where} occurs twice")
            self.metadata[key] = value

    def _value(self, code: int) -> MetadataValue:
        if code == GGUFValueType.STRING:
            return self._string()
        if code == GGUFValueType.ARRAY:
            return self._array()
        layout = _SCALARS.get(code)  # type: ignore[call-overload]  # an int finds its IntEnum
        if layout is None:
            self._fail(f"{self._where} has unknown value type {code}")
        value: MetadataValue = self._unpack(layout)[0]
        return value

    def _array(self) -> MetadataValue:
        code, count = self._unpack(_ARRAY)
        if code == GGUFValueType.STRING:
            self._need(count * _U64.size)
            return [self._string() for _ in range(count)]
        layout = _SCALARS.get(code)
        if layout is None:
            self._fail(f"{self._where} is an array of unsupported type {code}")
        self._need(count * layout.size)
        values: Array = np.frombuffer(self._data, layout.format, count, self._position)
        self._position += values.nbytes
        return values

    def _key(self) -> str:
        key = self._string()
        if not key or len(key) > _MAX_KEY_BYTES:
            self._fail(f"{self._where} has a name of {len(key)} characters")
        return key

    def _string(self) -> str:
        (length,) = self._unpack(_U64)
        self._need(length)
        end = self._position + length
        try:
            text = self._data[self._position : end].decode()
        except UnicodeDecodeError:
            self._fail(f"{self._where} has text that is not UTF-8, at offset {self._position}")
        self._position = end
        return text

    def _read_tensors(self, count: int) -> None:
        relative = [self._tensor(index, count) for index in range(count)]
        alignment = self._alignment()
        start = -(-self._position // alignment) * alignment
        for tensor in relative:
            self._place(tensor, start, alignment)
        self._refuse_overlaps()

    def _tensor(self, index: int, count: int) -> TensorInfo:
        """One tensor info; its offset is still relative to the start of the data."""
        self._where = f"tensor entry {index + 1} of {count}"
        name = self._key()
        self._where = f"tensor {show(name)}"
        (dimensions,) = self._unpack(_U32)
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            self._fail(f"{self._where} has {dimensions} dimensions, not 1 to {_MAX_DIMENSIONS}")
        shape = tuple(self._unpack(_U64)[0] for _ in range(dimensions))[::-1]
        code, offset = self._unpack(_ARRAY)
        try:
            kind = GGMLQuantizationType(code)
        except ValueError:
            self._fail(
                f"{self._where} has unknown type {code}",
                "convert the model to a known quantisation such as Q8_0",
            )
        return TensorInfo(name, shape, kind, offset, self._bytes(shape, kind))

    def _bytes(self, shape: tuple[int, ...], kind: GGMLQuantizationType) -> int:
        block_elements, block_bytes = GGML_QUANT_SIZES[kind]
        if 0 in shape or shape[-1] % block_elements:
            self._fail(
                f"{self._where} has shape {list(shape)}, impossible for type {kind.name} with "
                f"blocks of {block_elements}"
            )
        size: int = count_elements(shape) // block_elements * block_bytes
        return size

    def _alignment(self) -> int:
        value = self.metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if type(value) is not int or value < 1 or value & (value - 1):
            self._fail(f"metadata 'general.alignment' is {show(value)}, not a power of two")
        return value

    def _place(self, tensor: TensorInfo, start: int, alignment: int) -> None:
        name = show(tensor.name)
        if tensor.name in self.tensors:
            self._fail(f"tensor {name} occurs twice")
        if tensor.offset % alignment:
            self._fail(f"tensor {name} is at {tensor.offset}, not a multiple of {alignment}")
        offset = start + tensor.offset
        if offset + tensor.size > self._size:
            self._fail(
                f"tensor {name} of shape {list(tensor.shape)} ends at byte "
                f"{offset + tensor.size}, but the file at {self._size}",
                DOWNLOAD_AGAIN,
            )
        self.tensors[tensor.name] = TensorInfo(
            tensor.name, tensor.shape, tensor.type, offset, tensor.size
        )

    def _refuse_overlaps(self) -> None:
        ordered = sorted(self.tensors.values(), key=lambda tensor: tensor.offset)
        for first, second in zip(ordered, ordered[1:], strict=False):
            if first.offset + first.size > second.offset:
                self._fail(f"tensors {show(first.name)} and {show(second.name)} overlap")


def count_elements(shape: tuple[int, ...]) -> int:
    """Product of the dimensions, exact whatever a file states."""
    count = 1
    for size in shape:
        count *= size
    return count
