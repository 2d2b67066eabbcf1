"""Tensors of llama.cpp, read where they lie; valid only while its callback shows them."""

from __future__ import annotations

import ctypes
import struct
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np

from tracepact.engines.llamacpp.layout import Layout, layout_of
from tracepact.engines.llamacpp.library import Library
from tracepact.types import Array

Path = tuple[int, ...]
"""From a node to what it was computed from: a source of it, a source of that, and so on."""

_ITEM: Final = MappingProxyType({"f32": np.float32, "f16": np.float16, "i64": np.int64})


class Reader:
    """Reads tensors of one library.

    Args:
        library: Whose tensors.

    Raises:
        ConfigError: Their layout is not known.
    """

    def __init__(self, library: Library) -> None:
        pointer = ctypes.c_void_p
        self.layout: Layout = layout_of(library)
        self.nbytes = library.function("ggml_nbytes", ctypes.c_size_t, pointer)
        self.is_host = library.function("ggml_backend_buffer_is_host", ctypes.c_bool, pointer)
        self._type_name = library.function("ggml_type_name", ctypes.c_char_p, ctypes.c_int)
        self._op_name = library.function("ggml_op_desc", ctypes.c_char_p, pointer)
        numbers = {kind: getattr(self.layout, kind) for kind in ("bf16", *_ITEM)}
        self.kinds = {number: kind for kind, number in numbers.items() if number >= 0}

    def numbers(self) -> tuple[int, ...]:
        """The layout as the native core takes it, with the accessors' addresses."""
        accessors = (self.nbytes, self.is_host)
        addresses = (ctypes.cast(each, ctypes.c_void_p).value or 0 for each in accessors)
        return (*self.layout.numbers(), *addresses)

    def operation(self, address: int) -> str:
        """Name of the operation that computes a tensor."""
        name: bytes = self._op_name(address) or b"?"
        return name.decode(errors="replace")

    def type_name(self, number: int) -> str:
        """Of a type of elements, as in `q4_K`."""
        name: bytes = self._type_name(number) or b"?"
        return name.decode(errors="replace")


class Tensor:
    """One tensor.

    Args:
        reader: Of its library.
        address: Of its struct.
    """

    __slots__ = ("__dict__", "_reader", "address")

    def __init__(self, reader: Reader, address: int) -> None:
        self._reader = reader
        self.address = address

    @cached_property
    def name(self) -> str:
        """As in the graph, or in the model file."""
        raw = ctypes.string_at(self.address + self._reader.layout.name, 64)
        return raw.partition(b"\0")[0].decode(errors="replace")

    @cached_property
    def operation(self) -> str:
        """What computes it, as in `MUL_MAT`."""
        return self._reader.operation(self.address)

    @property
    def key(self) -> tuple[str, int]:
        """What a node is known by among those that follow another."""
        return self.name, self._number("<i", self._reader.layout.op)

    @property
    def kind(self) -> str | None:
        """Type of its elements where they can be read: `f32`, `f16`, `bf16` or `i64`."""
        return self._reader.kinds.get(self._number("<i", self._reader.layout.type))

    @property
    def type_name(self) -> str:
        """Type of its elements, as in `q4_K`."""
        return self._reader.type_name(self._number("<i", self._reader.layout.type))

    @property
    def data(self) -> int:
        """Address of its elements, 0 before they are allocated."""
        return self._number("<Q", self._reader.layout.data)

    @property
    def nbytes(self) -> int:
        """From its first element to behind its last one."""
        size: int = self._reader.nbytes(self.address)
        return size

    @property
    def shape(self) -> tuple[int, ...]:
        """[…, rows, columns], always four axes."""
        raw = ctypes.string_at(self.address + self._reader.layout.ne, 32)
        return struct.unpack("<4q", raw)[::-1]

    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes, of the axes of `shape`."""
        raw = ctypes.string_at(self.address + self._reader.layout.nb, 32)
        return struct.unpack("<4q", raw)[::-1]

    def parameter(self, index: int) -> float:
        """A float among the parameters of its operation."""
        raw = ctypes.string_at(self.address + self._reader.layout.op_params + 4 * index, 4)
        value: float = struct.unpack("<f", raw)[0]
        return value

    def source(self, index: int) -> Tensor | None:
        """A tensor that it is computed from."""
        if index >= self._reader.layout.sources:
            return None
        address = self._number("<Q", self._reader.layout.src + 8 * index)
        return Tensor(self._reader, address) if address else None

    @property
    def viewed(self) -> Tensor | None:
        """The tensor that it is a view of."""
        address = self._number("<Q", self._reader.layout.view_src)
        return Tensor(self._reader, address) if address else None

    def reach(self, path: Path) -> Tensor | None:
        """What it was computed from; None where what came later may lie over it."""
        passed: list[Tensor] = []
        found: Tensor | None = self
        for step in path:
            assert found is not None, "left below"
            passed.append(found)
            found = found.source(step)
            if found is None:
                return None
        return None if found is None or any(map(found._overlaps, passed)) else found

    def array(self, axes: int | None = None) -> Array | None:
        """A view of its elements, or of their last axes; None where they cannot be read.

        bfloat16, which NumPy lacks, is copied to float32.
        """
        reader, kind, data = self._reader, self.kind, self.data
        buffer = self._number("<Q", reader.layout.buffer)
        if kind is None or not data or not buffer or not reader.is_host(buffer):
            return None
        shape, strides = self.shape, self.strides
        axes = 4 if axes is None else axes
        if any(size != 1 for size in shape[: 4 - axes]):
            return None
        memory = memoryview((ctypes.c_char * self.nbytes).from_address(data))
        dtype = _ITEM.get(kind, np.uint16)
        view: Array = np.ndarray(shape[4 - axes :], dtype, memory, strides=strides[4 - axes :])
        if kind == "bf16":
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view

    def _overlaps(self, other: Tensor) -> bool:
        return self.data < other.data + other.nbytes and other.data < self.data + self.nbytes

    def _number(self, form: str, offset: int) -> int:
        raw = ctypes.string_at(self.address + offset, struct.calcsize(form))
        number: int = struct.unpack(form, raw)[0]
        return number
