"""Claims about finding out how tensors lie, against the library's own accessors."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.core import native_core
from tracepact.engines.llamacpp import layout as room
from tracepact.engines.llamacpp.library import Library, library
from tracepact.engines.llamacpp.tensors import Reader, Tensor
from tracepact.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parent))

import contexts as models

pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


@pytest.fixture(params=models.packages())
def of(request: pytest.FixtureRequest) -> Library:
    return library(request.param)


class Maker:
    """Tensors that the library makes, without a model."""

    def __init__(self, of: Library) -> None:
        self.of = of
        self.reader = Reader(of)
        self.context = of.function("ggml_init", pointer, room._InitParams)(
            room._InitParams(1 << 20, None, False)
        )

    def new(self, kind: int, *shape: int) -> int:
        make = self.of.function(
            "ggml_new_tensor", pointer, pointer, number, number, ctypes.POINTER(ctypes.c_int64)
        )
        found: int = make(self.context, kind, len(shape), (ctypes.c_int64 * len(shape))(*shape))
        return found

    def apply(self, name: str, *operands: Any) -> Tensor:
        types = [pointer if isinstance(each, int) else ctypes.c_float for each in operands]
        function = self.of.function(name, pointer, pointer, *types)
        return Tensor(self.reader, function(self.context, *operands))

    def tensor(self, address: int) -> Tensor:
        return Tensor(self.reader, address)


@pytest.fixture
def make(of: Library) -> Iterator[Maker]:
    maker = Maker(of)
    yield maker
    of.function("ggml_free", None, pointer)(maker.context)


@pytest.mark.parametrize("shape", [(7,), (5, 3), (64, 9, 2), (4, 3, 2, 2)])
@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_tensor_is_read_as_the_library_says(make: Maker, kind: str, shape: tuple[int, ...]) -> None:
    address = make.new(getattr(make.reader.layout, kind), *shape)
    make.of.function("ggml_set_name", pointer, pointer, ctypes.c_char_p)(address, b"attn_norm-3")
    tensor = make.tensor(address)
    assert tensor.name == "attn_norm-3"
    assert tensor.kind == kind
    assert tensor.shape[::-1][: len(shape)] == shape
    assert int(np.prod(tensor.shape)) == make.of.function(
        "ggml_nelements", ctypes.c_int64, pointer
    )(address)
    assert tensor.data == make.of.function("ggml_get_data", pointer, pointer)(address)
    assert tensor.nbytes == int(np.prod(shape)) * (4 if kind == "f32" else 2)


def test_operations_sources_and_parameters_are_read(make: Maker) -> None:
    f32 = make.reader.layout.f32
    a, b = make.new(f32, 8, 4), make.new(f32, 8, 2)
    product, norm = make.apply("ggml_mul_mat", a, b), make.apply("ggml_rms_norm", a, 1e-6)
    assert product.operation == "MUL_MAT"
    assert [product.source(0).address, product.source(1).address] == [a, b]
    assert product.source(2) is None
    assert norm.operation == "RMS_NORM"
    assert norm.parameter(0) == pytest.approx(1e-6)
    scaled = make.apply("ggml_mul", norm.address, b)
    assert scaled.reach((0, 0)).address == a
    assert scaled.reach((0, 1)) is None


def test_tensor_without_memory_of_the_host_has_no_array(make: Maker) -> None:
    assert make.tensor(make.new(make.reader.layout.f32, 8)).array() is None, "it has no buffer"


def test_layout_that_is_not_known_is_one_clear_line(
    of: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Without(Library):
        def function(self, name: str, result: Any, *arguments: Any) -> Any:
            return None if name == "ggml_get_name" else super().function(name, result, *arguments)

    unknown = Without(of.package, of.description, of.api, of.llama)
    with pytest.raises(ConfigError, match="no function ggml_get_name") as caught:
        room.layout_of(unknown)
    assert "\n" not in str(caught.value)
    assert of.description in str(caught.value)


def test_tensors_that_do_not_lie_so_are_refused(of: Library) -> None:
    found = room.layout_of(of)
    with pytest.raises(room._Unknown):
        room._only(bytes(32), bytes(8), "shape")
    native = native_core()
    if native is None:
        pytest.skip("no native core")
    numbers = Reader(of).numbers()
    native.LlamaWatcher(numbers)
    with pytest.raises(ValueError, match="not the layout"):
        native.LlamaWatcher((*replace(found, ne=-8).numbers(), *numbers[-2:]))
