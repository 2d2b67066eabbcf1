"""Claims about the header of a GGUF file, good ones and bad ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show
from tracepact.errors import ModelFileError

Q = gguf.GGMLQuantizationType
UINT32, STRING, ARRAY, F32 = 4, 8, 9, 0


def text(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def entry(key: bytes | str, code: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", code) + value


def tensor(
    name: bytes | str = "t",
    shape: tuple[int, ...] = (8,),
    code: int = F32,
    offset: int = 0,
) -> bytes:
    return (
        text(name)
        + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        + struct.pack("<IQ", code, offset)
    )


def gguf_bytes(
    *parts: bytes, entries: int = 0, tensors: int = 0, version: int = 3, data: int = 32
) -> bytes:
    head = struct.pack("<4sIQQ", b"GGUF", version, tensors, entries) + b"".join(parts)
    return head + bytes(-len(head) % 32) + bytes(data)


HUGE = 2**63
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "cut in the header": (b"GGUF\x03", "the header needs 24 bytes at offset 0"),
    "other format": (b"PK\x03\x04" + bytes(60), "not a GGUF file, it starts with b'PK"),
    "version 1": (gguf_bytes(version=1), "version 1 is not supported, only 2 and 3"),
    "version 99": (gguf_bytes(version=99), "version 99 is not supported"),
    "big-endian": (gguf_bytes(version=3 << 24), "a big-endian GGUF file"),
    "more entries than bytes": (
        gguf_bytes(entries=HUGE),
        f"of {HUGE} has a name of 0 characters",
    ),
    "key as long as the universe": (
        gguf_bytes(struct.pack("<Q", HUGE), entries=1),
        f"metadata entry 1 of 1 needs {HUGE} bytes at offset 32, but the file ends at 64",
    ),
    "text as long as the universe": (
        gguf_bytes(entry("k", STRING, struct.pack("<Q", HUGE)), entries=1),
        f"metadata 'k' needs {HUGE} bytes",
    ),
    "array as long as the universe": (
        gguf_bytes(entry("k", ARRAY, struct.pack("<IQ", UINT32, HUGE)), entries=1),
        f"metadata 'k' needs {4 * HUGE} bytes",
    ),
    "array of texts as long as the universe": (
        gguf_bytes(entry("k", ARRAY, struct.pack("<IQ", STRING, HUGE)), entries=1),
        f"metadata 'k' needs {8 * HUGE} bytes",
    ),
    "array of arrays": (
        gguf_bytes(entry("k", ARRAY, struct.pack("<IQ", ARRAY, 1)), entries=1),
        "metadata 'k' is an array of unsupported type 9",
    ),
    "unknown value type": (
        gguf_bytes(entry("k", 13, b""), entries=1),
        "metadata 'k' has unknown value type 13",
    ),
    "key not UTF-8": (
        gguf_bytes(entry(b"\xff\xfe", UINT32, bytes(4)), entries=1),
        "metadata entry 1 of 1 has text that is not UTF-8, at offset 32",
    ),
    "text not UTF-8": (
        gguf_bytes(entry("k", STRING, text(b"a\xff")), entries=1),
        "metadata 'k' has text that is not UTF-8",
    ),
    "key twice": (
        gguf_bytes(entry("k", UINT32, bytes(4)) * 2, entries=2),
        "metadata 'k' occurs twice",
    ),
    "alignment zero": (
        gguf_bytes(entry("general.alignment", UINT32, bytes(4)), entries=1),
        "metadata 'general.alignment' is 0, not a power of two",
    ),
    "alignment a text": (
        gguf_bytes(entry("general.alignment", STRING, text("32")), entries=1),
        "metadata 'general.alignment' is '32', not a power of two",
    ),
    "more tensors than bytes": (
        gguf_bytes(tensor(), tensors=HUGE),
        f"tensor entry 2 of {HUGE} has a name of 0 characters",
    ),
    "five dimensions": (
        gguf_bytes(tensor(shape=(1, 1, 1, 1, 1)), tensors=1),
        "tensor 't' has 5 dimensions, not 1 to 4",
    ),
    "no dimension": (
        gguf_bytes(tensor(shape=()), tensors=1),
        "tensor 't' has 0 dimensions",
    ),
    "dimension zero": (
        gguf_bytes(tensor(shape=(HUGE, 0)), tensors=1),
        rf"tensor 't' has shape \[0, {HUGE}\], impossible",
    ),
    "part of a block": (
        gguf_bytes(tensor(shape=(16, 2), code=Q.Q8_0), tensors=1),
        r"shape \[2, 16\], impossible for type Q8_0 with blocks of 32",
    ),
    "unknown tensor type": (
        gguf_bytes(tensor(code=4711), tensors=1),
        "tensor 't' has unknown type 4711",
    ),
    "tensor as large as the universe": (
        gguf_bytes(tensor(shape=(HUGE, HUGE, HUGE, HUGE)), tensors=1),
        "tensor 't' of shape .* but the file at",
    ),
    "offset outside": (
        gguf_bytes(tensor(offset=HUGE), tensors=1),
        "tensor 't' of shape .* but the file at",
    ),
    "offset between": (
        gguf_bytes(tensor(offset=4), tensors=1),
        "tensor 't' is at 4, not a multiple of 32",
    ),
    "tensor twice": (
        gguf_bytes(tensor(), tensor(offset=32), tensors=2, data=64),
        "tensor 't' occurs twice",
    ),
    "overlap": (
        gguf_bytes(tensor("a", (16,)), tensor("b", offset=32), tensors=2, data=64),
        "tensors 'a' and 'b' overlap",
    ),
    "tensor name not UTF-8": (
        gguf_bytes(tensor(b"\x80"), tensors=1),
        "tensor entry 1 of 1 has text that is not UTF-8",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_gives_one_line_with_path_defect_and_remedy(case: str, tmp_path: Path) -> None:
    content, message = BAD_FILES[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        GgufFile(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "; " in line
    assert "\n" not in line
    assert len(line) < len(str(path)) + 300


def test_the_smallest_valid_file_opens(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf_bytes(tensor(), tensors=1))
    file = GgufFile(path)
    assert file.tensors["t"].shape == (8,)
    assert file.raw(file.tensors["t"]).shape == (1, 32)


def test_metadata_of_every_type_come_back_as_written(tmp_path: Path) -> None:
    values: dict[str, tuple[str, Any]] = {
        "uint8": ("add_uint8", 200),
        "int8": ("add_int8", -100),
        "uint16": ("add_uint16", 60000),
        "int16": ("add_int16", -30000),
        "uint32": ("add_uint32", 2**32 - 1),
        "int32": ("add_int32", -(2**31)),
        "uint64": ("add_uint64", 2**64 - 1),
        "int64": ("add_int64", -(2**63)),
        "float32": ("add_float32", 0.5),
        "float64": ("add_float64", 0.1),
        "bool": ("add_bool", True),
        "string": ("add_string", "schöner Text 🎉"),
        "texts": ("add_array", ["a", "", "ü"]),
        "integers": ("add_array", [1, 2, 3]),
        "floats": ("add_array", [0.5, -1.0]),
    }
    path = tmp_path / "metadata.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, (method, value) in values.items():
        getattr(writer, method)(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    metadata = GgufFile(path).metadata
    for key, (_, value) in values.items():
        got = metadata[key]
        assert (got.tolist() if isinstance(got, np.ndarray) else got) == value


def test_show_keeps_any_value_on_one_short_line() -> None:
    assert show("a") == "'a'"
    assert "\n" not in show(np.zeros((9, 9)))
    assert len(show("x" * 10**6)) == 78
