"""Claims about opening files and reading their tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracepact.engines.reference.chat import ChatTemplate
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tokenizer import Tokenizer
from tracepact.errors import ModelFileError

WriteGguf = Callable[..., Path]
Q = gguf.GGMLQuantizationType
DEQUANTISABLE = [Q.F32, Q.F16, Q.BF16, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0]


def test_a_path_that_is_no_file_is_a_model_file_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.gguf: cannot be opened \(No such file"):
        GgufFile(tmp_path / "none.gguf")
    with pytest.raises(ModelFileError, match="not a regular file"):
        GgufFile(tmp_path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not a regular file"):
        GgufFile(tmp_path / "pipe")


@pytest.mark.parametrize("kind", DEQUANTISABLE, ids=lambda kind: kind.name)
def test_tensors_are_those_that_the_gguf_package_reads(kind: Any, write_gguf: WriteGguf) -> None:
    path = write_gguf(type=kind)
    file = GgufFile(path)
    expected = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert file.tensors.keys() == expected.keys()
    for name, info in file.tensors.items():
        reference = gguf.quants.dequantize(expected[name].data, expected[name].tensor_type)
        out = np.empty(info.shape, dtype=np.float32)
        file.dequantise_into(info, out)
        assert np.array_equal(out, reference)


def test_dequantising_in_pieces_gives_every_element(
    write_gguf: WriteGguf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = GgufFile(write_gguf(type=Q.Q8_0))
    info = file.tensors["token_embd.weight"]
    whole, pieces = np.empty(info.shape, np.float32), np.full(info.shape, np.nan, np.float32)
    file.dequantise_into(info, whole)
    monkeypatch.setattr("tracepact.engines.reference.gguf_file._CHUNK_ELEMENTS", 100)
    file.dequantise_into(info, pieces)
    assert np.array_equal(whole, pieces)


def test_dequantise_rows_reads_single_rows(write_gguf: WriteGguf) -> None:
    file = GgufFile(write_gguf(type=Q.Q5_1))
    info = file.tensors["blk.1.ffn_up.weight"]
    whole = np.empty(info.shape, np.float32)
    file.dequantise_into(info, whole)
    assert np.array_equal(file.dequantise_rows(info, np.array([63, 0, 7])), whole[[63, 0, 7]])


def test_a_type_without_dequantisation_is_named(write_gguf: WriteGguf) -> None:
    file = GgufFile(write_gguf(tensors={"t": np.zeros(32, np.int32)}))
    with pytest.raises(ModelFileError, match="'t' has type I32, which cannot be dequantised"):
        file.dequantise_into(file.tensors["t"], np.empty(32, np.float32))


def load_everything(path: Path) -> None:
    model = ReferenceModel.load(path)
    tokenizer = Tokenizer(model.file)
    ChatTemplate(model.file, tokenizer.vocabulary).prompt("hello")
    model.forward(tokenizer.encode("hello") or [0], model.new_cache())


@pytest.fixture
def healthy(write_gguf: WriteGguf) -> Path:
    return write_gguf(chat_template="{{ messages[0]['content'] }}", type=Q.Q8_0)


@settings(
    max_examples=200,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_file_raises_nothing_but_model_file_errors(
    data: st.DataObject, healthy: Path
) -> None:
    """Whatever bytes change or are cut off, a file loads and runs, or says what is wrong."""
    content = bytearray(healthy.read_bytes())
    header_end = content.rindex(b"blk.1.ffn_norm.weight") + 64
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        where = data.draw(st.integers(0, header_end), label="where")
        length = data.draw(st.sampled_from([1, 1, 4, 8]), label="length")
        content[where : where + length] = data.draw(
            st.binary(min_size=length, max_size=length), label="bytes"
        )
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content)), label="end") :]
    damaged = healthy.with_name("damaged.gguf")
    damaged.write_bytes(content)
    message = ""
    try:
        load_everything(damaged)
    except ModelFileError as error:
        message = str(error)
    assert "\n" not in message
