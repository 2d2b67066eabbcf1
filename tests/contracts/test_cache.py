"""What is kept from one load to the next changes nothing but the time."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tracepact import config
from tracepact.contracts import ContractRegistry, cache, registry
from tracepact.errors import ConfigError

LIBRARY = Path(cache.__file__).with_name("library")
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "contracts"
ODD = "equations:\n  f: {postconditions: [ret >], formula: a}\nodd: 1\n"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that does not exist yet; it also takes small registries."""
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.delenv("TRACEPACT_CACHE", raising=False)
    monkeypatch.setattr(cache, "_LEAST_BYTES", 0)
    return tmp_path / "kept"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two contracts, one with problems, and a file that is none."""
    path = tmp_path / "contracts"
    path.mkdir()
    (path / "a.yaml").write_text(ODD)
    (path / "b.yaml").write_text("metadata: {version: 1.0.0}\n")
    (path / "c.yaml").write_text("]")
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were parsed."""
    names: list[str] = []
    parse = cache.parse_contract

    def counted(source: bytes, path: Path) -> Any:
        names.append(path.name)
        return parse(source, path)

    monkeypatch.setattr(cache, "parse_contract", counted)
    return names


def contents(path: Path) -> tuple[str, str]:
    """All that a registry says; the representation shows every field with its type."""
    loaded = ContractRegistry.load(path)
    return repr(dict(loaded.contracts)), repr(loaded.problems)


def only_file(kept: Path) -> Path:
    (file,) = kept.iterdir()
    return file


@pytest.mark.parametrize(
    "path",
    [
        LIBRARY,
        pytest.param(
            CORPUS, marks=pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
        ),
    ],
    ids=["library", "corpus"],
)
def test_cached_registry_is_the_parsed_one(
    path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPACT_CACHE", "off")
    expected = contents(path)
    monkeypatch.delenv("TRACEPACT_CACHE")
    assert contents(path) == expected
    parsed.clear()
    assert contents(path) == expected
    assert parsed == []


def test_second_load_parses_nothing(folder: Path, parsed: list[str]) -> None:
    first = contents(folder)
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]
    assert contents(folder) == first
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]


def test_contract_is_decoded_when_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ContractRegistry.load(folder)
    decode = cache.decode
    decoded: list[str] = []

    def counted(data: bytes, path: Path) -> Any:
        decoded.append(path.name)
        return decode(data, path)

    monkeypatch.setattr(cache, "decode", counted)
    loaded = ContractRegistry.load(folder)
    assert (list(loaded.contracts), decoded) == (["a", "b"], [])
    assert loaded.contracts["b"] is loaded.contracts["b"]
    assert decoded == ["b.yaml"]


def test_change_of_equal_size_and_time_is_seen(folder: Path, parsed: list[str]) -> None:
    ContractRegistry.load(folder)
    parsed.clear()
    file = folder / "b.yaml"
    facts = file.stat()
    file.write_text("metadata: {version: 2.0.0}\n")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert file.stat().st_size == facts.st_size
    for _ in range(2):
        assert ContractRegistry.load(folder).contracts["b"].metadata.version == "2.0.0"
    assert parsed == ["b.yaml"]


def test_renamed_file_has_its_new_name_everywhere(folder: Path, parsed: list[str]) -> None:
    ContractRegistry.load(folder)
    parsed.clear()
    (folder / "a.yaml").rename(folder / "z.yaml")
    loaded = ContractRegistry.load(folder)
    assert loaded.contracts["z"].path == folder / "z.yaml"
    assert loaded.problems[-1].location.file == str(folder / "z.yaml")
    assert parsed == []


@pytest.fixture
def fresh_identity() -> Iterator[None]:
    """What identifies the program is found out anew, and again after the test."""
    cache._identity.cache_clear()
    yield
    cache._identity.cache_clear()


@pytest.mark.usefixtures("fresh_identity")
@pytest.mark.parametrize("place", ["version", "code"])
def test_another_version_or_other_code_parses_again(
    folder: Path, kept: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (folder / "code.py").touch()
    monkeypatch.setattr(cache, "__file__", str(folder / "code.py"))
    ContractRegistry.load(folder)
    name = only_file(kept).name
    parsed.clear()
    if place == "version":
        monkeypatch.setattr(config, "__version__", "99.0.0")
    else:
        (folder / "code.py").write_text("another parser")
    cache._identity.cache_clear()
    assert cache._load(name, 10_000) == {}
    ContractRegistry.load(folder)
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]


def _damaged(data: bytes) -> dict[str, bytes]:
    """What a cache file may hold instead of what was written."""
    head = data.index(b"\n") + 1
    body = bytearray(data[head + 4 :])

    def sealed(body: bytes) -> bytes:
        return data[:head] + struct.pack("<I", zlib.crc32(body)) + body

    return {
        "empty": b"",
        "one byte": data[:1],
        "head only": data[:head],
        "half": data[: len(data) // 2],
        "last byte gone": data[:-1],
        "byte more": data + b"x",
        "other version": data.replace(b"tracepact contracts 1", b"tracepact contracts 0"),
        "nested": b"[" * 10_000,
        "zeros": bytes(len(data)),
        "flipped bit in the source": data[:-1] + bytes([data[-1] ^ 1]),
        "flipped bit in a length": data[: head + 4] + bytes([body[0] ^ 1]) + bytes(body[1:]),
        "sealed, no entry": sealed(b""),
        "sealed, cut": sealed(bytes(body[:-3])),
        "sealed, rubbish": sealed(b"\xff" * 100),
        "sealed, endless": sealed(struct.pack("<II?", 2**32 - 1, 2**32 - 1, True)),
        "huge": data + bytes(1_000_000),
    }


@pytest.mark.parametrize("damage", _damaged(b"tracepact contracts 1\n0123456789"))
def test_damaged_file_is_ignored_and_rewritten(
    folder: Path, kept: Path, parsed: list[str], damage: str
) -> None:
    expected = contents(folder)
    file = only_file(kept)
    intact = file.read_bytes()
    file.write_bytes(_damaged(intact)[damage])
    parsed.clear()
    assert contents(folder) == expected
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]
    assert only_file(kept).read_bytes() == intact


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"null",
        b"[[1], []]",
        b"[" * 100_000,
        b"\xff",
        b'[null, [["x", 1, 2]]]',
        b'[[["", "", "", "", [], [], ""], {"f": 5}, [], [], [], {}], []]',
    ],
)
def test_entry_that_somebody_made_up_is_parsed_instead(
    folder: Path, kept: Path, data: bytes
) -> None:
    """The checksum is right, the types are not: seen when the entry is decoded."""
    expected = contents(folder)
    file = only_file(kept)
    entries = cache._load(file.name, 10_000).values()
    cache._store(file.name, [entry._replace(data=data) for entry in entries])
    assert contents(folder) == expected
    assert contents(folder) == expected
    assert b"metadata" in only_file(kept).read_bytes()


def test_contract_that_somebody_made_up_is_empty(folder: Path, kept: Path) -> None:
    ContractRegistry.load(folder)
    name = only_file(kept).name
    entries = cache._load(name, 10_000).values()
    cache._store(name, [entry._replace(data=b"x", has_contract=True) for entry in entries])
    loaded = ContractRegistry.load(folder)
    with pytest.raises(ConfigError, match="no equation"):
        loaded.equation("c", "f")
    assert len(loaded.problems) == 3
    assert list(ContractRegistry.load(folder).contracts) == ["a", "b"]


def test_other_path_has_a_file_of_its_own(folder: Path, kept: Path, tmp_path: Path) -> None:
    ContractRegistry.load(folder)
    shutil.copytree(folder, tmp_path / "copy")
    copied = ContractRegistry.load(tmp_path / "copy").contracts["a"]
    assert copied.equations["f"].location.file == str(tmp_path / "copy" / "a.yaml")
    assert len(list(kept.iterdir())) == 2


def test_file_is_for_the_user_alone(folder: Path, kept: Path) -> None:
    ContractRegistry.load(folder)
    assert stat.S_IMODE(only_file(kept).stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_off_neither_reads_nor_writes(
    folder: Path, kept: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ContractRegistry.load(folder)
    before = only_file(kept).stat().st_mtime_ns
    parsed.clear()
    monkeypatch.setenv("TRACEPACT_CACHE", "off")
    ContractRegistry.load(folder)
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]
    assert only_file(kept).stat().st_mtime_ns == before


def test_folder_that_cannot_be_written_is_no_error(folder: Path, kept: Path) -> None:
    kept.write_text("a file where the folder should be")
    assert contents(folder) == contents(folder)


@pytest.mark.parametrize(("name", "value"), [("_LEAST_BYTES", 10_000), ("_MOST_BYTES", 10)])
def test_very_small_and_very_large_registries_are_not_kept(
    folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(cache, name, value)
    assert list(ContractRegistry.load(folder).contracts) == ["a", "b"]
    assert not kept.exists()


def test_very_large_registry_is_never_in_memory_as_a_whole(
    folder: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MOST_BYTES", 10)
    read = registry.read_bytes
    parsed_before: list[int] = []

    def watched(path: Path, log: Any) -> bytes | None:
        parsed_before.append(len(parsed))
        return read(path, log)

    monkeypatch.setattr(registry, "read_bytes", watched)
    ContractRegistry.load(folder)
    assert parsed_before == [0, 1, 2]


def test_file_not_worth_keeping_is_parsed_every_time_and_not_written_again(
    folder: Path, kept: Path, parsed: list[str]
) -> None:
    (folder / "b.yaml").write_text("equations: [" + "[]," * 900 + "]")
    expected = contents(folder)
    written = only_file(kept).stat().st_mtime_ns
    parsed.clear()
    assert contents(folder) == expected
    assert parsed == ["b.yaml"]
    assert only_file(kept).stat().st_mtime_ns == written


def test_loads_at_the_same_time_agree(folder: Path, kept: Path) -> None:
    expected = contents(folder)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            shutil.rmtree(kept)
            assert set(pool.map(contents, [folder] * 8)) == {expected}
            only_file(kept)


def test_every_thread_gets_the_same_contract(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ContractRegistry.load(folder)
    decode = cache.decode

    def slow(data: bytes, path: Path) -> Any:
        time.sleep(0.02)
        return decode(data, path)

    monkeypatch.setattr(cache, "decode", slow)
    loaded = ContractRegistry.load(folder)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda held: held["a"], [loaded.contracts] * 8))
    assert all(contract is found[0] for contract in found)


def test_file_far_larger_than_its_contracts_is_not_read(
    folder: Path, kept: Path, parsed: list[str]
) -> None:
    """However large somebody makes it, loading takes a bounded time."""
    ContractRegistry.load(folder)
    name = only_file(kept).name
    entries = list(cache._load(name, 10_000).values())
    cache._store(name, [*entries, entries[0]._replace(source=bytes(100_000))])
    parsed.clear()
    ContractRegistry.load(folder)
    assert parsed == ["a.yaml", "b.yaml", "c.yaml"]
    assert only_file(kept).stat().st_size < 10_000


def test_second_file_of_a_stem_is_reported_without_decoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.yml").write_text("metadata: {version: 3.0.0}\n")
    expected = contents(folder)
    assert "a second contract 'a'" in expected[1]
    assert contents(folder) == expected
    monkeypatch.setattr(cache, "decode", None)
    assert list(ContractRegistry.load(folder).contracts) == ["a", "b"]
