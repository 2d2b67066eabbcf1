"""Where a build of llama.cpp keeps what in a tensor: found by trying, never assumed.

The struct `ggml_tensor` differs between versions and forks. The library is asked to make tensors
whose shape, type, name, operation and sources are known, and each field is looked for in their
bytes; its own accessors have the last word.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any, Final

from tracepact.engines.llamacpp.library import Library
from tracepact.errors import ConfigError

_MOST: Final = 1024
"""Bytes before the name of a tensor, of a layout that is believed."""

_SHAPES: Final = ((2, 3, 5, 7), (11, 13, 1, 1), (11, 17, 1, 1))
_TYPES: Final = ("f32", "f16", "bf16", "i64", "i32")
_SOURCES: Final = 6
_EPS: Final = 0.123456789


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in bytes of the fields of a tensor, and the numbers of the types that are read.

    Attributes:
        type, buffer, ne, nb, op, op_params, src, view_src, data, name: Offsets.
        sources: How many `src` are read.
        f32, f16, bf16, i64, i32: Numbers of these types; -1 where the library has none.
    """

    type: int
    buffer: int
    ne: int
    nb: int
    op: int
    op_params: int
    src: int
    view_src: int
    data: int
    name: int
    sources: int
    f32: int
    f16: int
    bf16: int
    i64: int
    i32: int

    def numbers(self) -> tuple[int, ...]:
        """All of them, in this order."""
        return astuple(self)


class _Unknown(Exception):  # noqa: N818 - never seen outside
    """A field that was not found, or at several places."""


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


@cache
def layout_of(library: Library) -> Layout:
    """The layout that a library uses.

    Raises:
        ConfigError: It could not be found out; nothing is read then.
    """
    try:
        return _find(library)
    except _Unknown as error:
        raise ConfigError(
            f"{library.description}: its tensors are laid out in a way that is not known "
            f"({error}); tracing needs another version of it"
        ) from None


def _find(library: Library) -> Layout:
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    call = _Functions(library)
    names = _type_numbers(library)
    for known in ("f32", "f16"):
        if names[known] < 0:
            raise _Unknown(f"no type {known}")
    make, free = call("ggml_init", pointer, _InitParams), call("ggml_free", None, pointer)
    context = make(_InitParams(1 << 16, None, False))
    empty = make(_InitParams(1 << 16, None, True))  # of tensors without memory
    new = call("ggml_new_tensor", pointer, pointer, number, number, ctypes.POINTER(ctypes.c_int64))
    try:
        made = [
            new(context, names[kind], 4, (ctypes.c_int64 * 4)(*shape))
            for kind, shape in zip(("f16", "f32", "f32"), _SHAPES, strict=True)
        ]
        odd, a, b = made
        product = call("ggml_mul_mat", pointer, pointer, pointer, pointer)(context, a, b)
        total = call("ggml_add", pointer, pointer, pointer, pointer)(context, a, a)
        norm = call("ggml_rms_norm", pointer, pointer, pointer, ctypes.c_float)(context, a, _EPS)
        part = call("ggml_view_1d", pointer, pointer, pointer, ctypes.c_int64, size)
        view = part(context, b, 4, 0)
        get_name = call("ggml_get_name", pointer, pointer)
        get_data = call("ggml_get_data", pointer, pointer)
        nbytes = call("ggml_nbytes", size, pointer)
        everything = (*made, product, total, norm, view)
        name = int(get_name(odd)) - odd  # the fields that are searched for lie before it
        if not 0 < name <= _MOST:
            raise _Unknown("a name outside")
        raw = {tensor: ctypes.string_at(tensor, name) for tensor in everything}
        nb = _only(raw[odd], struct.pack("<4Q", 2, 4, 12, 60), "strides")
        layout = Layout(
            type=_where(raw, {odd: names["f16"], a: names["f32"], b: names["f32"]}, "i", "type"),
            buffer=_buffer(call, empty, new, names["f32"], name),
            ne=_only(raw[odd], struct.pack("<4q", *_SHAPES[0]), "shape"),
            nb=nb,
            op=_operation(library, raw, {product: b"MUL_MAT", total: b"ADD", norm: b"RMS_NORM"}),
            op_params=_only(raw[norm], struct.pack("<f", _EPS), "parameters"),
            src=_only(raw[product], struct.pack("<2Q", a, b), "sources"),
            view_src=_other(raw[view], struct.pack("<Q", b), raw[product], struct.pack("<Q", a)),
            data=_where(raw, {each: int(get_data(each) or 0) for each in everything}, "Q", "data"),
            name=name,
            sources=_SOURCES,
            **names,
        )
        _verify(layout, odd, raw[odd], nbytes(odd))
    finally:
        free(context)
        free(empty)
    return layout


class _Functions:
    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        found = self._library.function(name, result, *arguments)
        if found is None:
            raise _Unknown(f"it has no function {name}")
        made: Callable[..., Any] = found
        return made


def _type_numbers(library: Library) -> dict[str, int]:
    type_name = _Functions(library)("ggml_type_name", ctypes.c_char_p, ctypes.c_int)
    known = {type_name(number): number for number in range(31, -1, -1)}
    return {each: known.get(each.encode(), -1) for each in _TYPES}


def _only(raw: bytes, wanted: bytes, what: str) -> int:
    places = list(_places(raw, wanted))
    if len(places) != 1:
        raise _Unknown(f"its {what} at {len(places)} places")
    return places[0]


def _other(raw: bytes, wanted: bytes, product: bytes, source: bytes) -> int:
    """Where a view keeps what it looks at, beside its first source."""
    places = set(_places(raw, wanted)) - {_only(product, source, "source")}
    if len(places) != 1:
        raise _Unknown(f"what a view looks at, at {len(places)} places")
    return places.pop()


def _places(raw: bytes, wanted: bytes) -> Iterator[int]:
    at = raw.find(wanted)
    while at >= 0:
        yield at
        at = raw.find(wanted, at + 1)


def _where(raw: dict[int, bytes], values: dict[int, int], form: str, what: str) -> int:
    """The only aligned offset at which every tensor has its value."""
    step = struct.calcsize(form)
    places = [
        at
        for at in range(0, len(next(iter(raw.values()))) - step + 1, step)
        if all(struct.unpack_from(form, raw[t], at)[0] == value for t, value in values.items())
    ]
    if len(places) != 1:
        raise _Unknown(f"its {what} at {len(places)} places")
    return places[0]


def _operation(library: Library, raw: dict[int, bytes], names: dict[int, bytes]) -> int:
    op_name = _Functions(library)("ggml_op_name", ctypes.c_char_p, ctypes.c_int)
    known: dict[bytes, int] = {}
    for number in range(64):
        known.setdefault(op_name(number), number)
        if set(names.values()) <= known.keys():
            break
    else:
        raise _Unknown("operations without a name")
    return _where(raw, {t: known[name] for t, name in names.items()}, "i", "operation")


def _buffer(call: _Functions, context: int, new: Callable[..., int], kind: int, size: int) -> int:
    """Where a tensor keeps the buffer that it lies in."""
    pointer = ctypes.c_void_p
    memory = ctypes.create_string_buffer(256)
    aligned = (ctypes.addressof(memory) + 63) & ~63
    from_pointer = call("ggml_backend_cpu_buffer_from_ptr", pointer, pointer, ctypes.c_size_t)
    allocate = call("ggml_backend_tensor_alloc", ctypes.c_int, pointer, pointer, pointer)
    free = call("ggml_backend_buffer_free", None, pointer)
    buffer = from_pointer(aligned, 64)
    try:
        tensor = new(context, kind, 1, (ctypes.c_int64 * 1)(8))
        allocate(buffer, tensor, aligned)
        return _only(ctypes.string_at(tensor, size), struct.pack("<Q", buffer), "buffer")
    finally:
        free(buffer)


def _verify(layout: Layout, tensor: int, raw: bytes, nbytes: int) -> None:
    """A tensor read by this layout is what was asked for."""
    ne = struct.unpack_from("<4q", raw, layout.ne)
    nb = struct.unpack_from("<4Q", raw, layout.nb)
    reach = 2 + sum((n - 1) * stride for n, stride in zip(ne, nb, strict=True))
    if ne != _SHAPES[0] or reach != nbytes:
        raise _Unknown("its tensors are not as large as it says")
