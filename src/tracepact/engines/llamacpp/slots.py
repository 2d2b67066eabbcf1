"""Where graphs write into the KV cache; the twin in Python of native/llama_cache.c."""

from __future__ import annotations

import ctypes
from dataclasses import astuple, dataclass, field
from typing import Final

import numpy as np

from tracepact.engines.llamacpp.tensors import Tensor
from tracepact.types import Array

LOOK_BACK: Final = 64
"""Cells that a pass looks at again, of one slot."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one operation of one layer writes keys or values.

    Attributes:
        layer: Index.
        by_rows: It sets rows that are named by their index; else it fills a piece of the cache.
        is_transposed: The numbers of a cell lie far from each other.
        cells: Of the cache.
        width: Numbers of a cell.
        itemsize: Bytes of a number.
        stride: Bytes from one number of a cell to the next.
        cell_stride: Bytes from one cell to the next.
        exponent: All its bits are set in NaN and Inf.
    """

    layer: int
    by_rows: bool
    is_transposed: bool
    cells: int
    width: int
    itemsize: int
    stride: int
    cell_stride: int
    exponent: int

    def numbers(self) -> tuple[int, ...]:
        """As the native core takes them."""
        return astuple(self)


@dataclass(slots=True)
class _Written:
    base: int = 0
    marks: dict[int, bytes] = field(default_factory=dict)
    next: int = 0
    nonfinite: int = 0
    changed: int = 0


class PythonSlots:
    """All slots of a context."""

    def __init__(self) -> None:
        self._slots: list[tuple[Slot, _Written]] = []
        self._turn = 0

    def add(self, slot: Slot) -> int:
        """A new slot; its number."""
        self._slots.append((slot, _Written()))
        return len(self._slots) - 1

    def look_at(self, number: int, tensor: Tensor) -> None:
        """Look at what a tensor has written."""
        slot, written = self._slots[number]
        cells = _rows(slot, tensor) if slot.by_rows else _piece(slot, tensor)
        whole = tensor if slot.by_rows else tensor.viewed
        if cells is None or whole is None or tensor.array() is None:
            return
        if written.base != whole.data:
            written.base, written.next = whole.data, 0
            written.marks.clear()
        for cell in cells:
            if 0 <= cell < slot.cells:
                numbers = _cell(slot, written.base, cell)
                written.nonfinite += int(np.count_nonzero(numbers & slot.exponent == slot.exponent))
                written.marks[cell] = numbers.tobytes()

    def look_back(self) -> None:
        """Whether some of the cells of one slot are what they were when they were written."""
        if not self._slots:
            return
        slot, written = self._slots[self._turn % len(self._slots)]
        self._turn += 1
        known = sorted(written.marks)
        written.next = 0 if written.next >= len(known) else written.next
        most = LOOK_BACK // 2 if slot.is_transposed else LOOK_BACK
        for cell in known[written.next : written.next + most]:
            now = _cell(slot, written.base, cell).tobytes()
            written.changed += now != written.marks[cell]
            written.marks[cell] = now
        written.next += most

    def forget(self) -> None:
        """Somebody has changed the cache as he may."""
        for _, written in self._slots:
            written.base = 0
            written.marks.clear()

    def take_found(self) -> list[tuple[int, int, int]]:
        """Layer, NaN and Inf, and changed cells, of slots where there are any; once."""
        found = []
        for slot, written in self._slots:
            if written.nonfinite or written.changed:
                found.append((slot.layer, written.nonfinite, written.changed))
                written.nonfinite = written.changed = 0
        return found


def _cell(slot: Slot, base: int, cell: int) -> Array:
    """The bits of a cell's numbers, a copy."""
    start = base + cell * slot.cell_stride
    reach = (slot.width - 1) * slot.stride + slot.itemsize
    memory = memoryview((ctypes.c_char * reach).from_address(start))
    kind = np.uint16 if slot.itemsize == 2 else np.uint32
    view: Array = np.ndarray((slot.width,), kind, memory, strides=(slot.stride,))
    return view.copy()


def _rows(slot: Slot, tensor: Tensor) -> list[int] | None:
    indices = tensor.reach((1,))
    rows = None if indices is None or indices.kind != "i64" else indices.array()
    if rows is None:
        return None
    flat = rows.reshape(-1)
    cells: list[int] = np.unique(flat % slot.cells if slot.is_transposed else flat).tolist()
    return cells


def _piece(slot: Slot, tensor: Tensor) -> list[int] | None:
    whole = tensor.viewed
    if whole is None:
        return None
    first = (tensor.data - whole.data) // slot.cell_stride
    return list(range(first, first + int(np.prod(tensor.shape)) // slot.width))
