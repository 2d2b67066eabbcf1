"""Parsed contracts, kept in the user's cache folder from one run to the next.

A cache file belongs to one folder of contracts. It holds the content of each contract file beside
what was parsed from it, and an entry counts for equal content only, byte for byte: a file that
changed is parsed again, the others are not. An entry is decoded when its contract is asked for.
Whatever is wrong with a cache file, the contract files are parsed and it is written anew.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from tracepact import config
from tracepact.contracts.codec import DAMAGE, decode, encode
from tracepact.contracts.files import display_name
from tracepact.contracts.load import parse_contract
from tracepact.contracts.model import Contract, Metadata, Problem

_FORMAT: Final = 1
_LEAST_BYTES: Final = 16 * 1024
"""Below that, parsing takes no longer than a file in the cache folder is worth."""
_MOST_BYTES: Final = 8 * 1024**2
"""Above that, files are read and parsed one by one, so that memory stays bounded."""
_CHECKSUM: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<II?")
"""Length of the content, length of what was parsed, whether it has a contract."""

_Parsed: TypeAlias = tuple[Contract | None, list[Problem]]
_lock = threading.Lock()


class Kept(NamedTuple):
    """An entry of a cache file; without data the source is to be parsed every time."""

    cache_file: str
    source: bytes
    data: bytes
    has_contract: bool


class ContractFile:
    """A contract file that was read; what the cache has for it is decoded when first asked for.

    Attributes:
        path: Where it was read.
        stem: What its contract is called.
        has_contract: Whether there is a contract in it.
    """

    def __init__(self, path: Path, found: _Parsed | Kept) -> None:
        self.path = path
        self.stem = display_name(path.stem)
        self.has_contract = found.has_contract if isinstance(found, Kept) else found[0] is not None
        self._found = found

    def parsed(self) -> _Parsed:
        """Its contract and problems; every thread gets the same objects."""
        with _lock:
            if isinstance(self._found, Kept):
                self._found = _decoded(self._found, self.path)
            return self._found


def open_files(root: Path, sources: Iterator[tuple[Path, bytes]]) -> list[ContractFile]:
    """The files of a registry, from the cache where it has their content, and into it.

    `root` is what the registry is loaded from: it has one cache file. 30 files of 7 KB take half a
    millisecond when they are there, and a few milliseconds more than parsing when they are not.
    """
    ahead = []
    total = 0
    for path, source in sources:
        ahead.append((path, source))
        total += len(source)
        if total > _MOST_BYTES:
            break
    if config.cache_is_off() or not _LEAST_BYTES <= total <= _MOST_BYTES:
        return [
            ContractFile(path, parse_contract(source, path))
            for path, source in chain(ahead, sources)
        ]
    cache_file = _file_name(root)
    there = _load(cache_file, 5 * total + 8_192 * (len(ahead) + 1))
    entries: dict[bytes, Kept] = {}
    files = []
    for path, source in ahead:
        kept = entries.get(source) or there.get(source)
        if kept is not None and kept.data:
            file = ContractFile(path, kept)
        else:
            parsed = parse_contract(source, path)
            file = ContractFile(path, parsed)
            kept = kept or Kept(cache_file, source, _encoded(parsed, source), file.has_contract)
        entries[source] = kept
        files.append(file)
    if not entries.keys() <= there.keys():
        _store(cache_file, entries.values())
    return files


def _decoded(kept: Kept, path: Path) -> _Parsed:
    try:
        found = decode(kept.data, path)
        if (found[0] is not None) == kept.has_contract:
            return found
    except DAMAGE:
        pass
    config.forget_cached(kept.cache_file)
    contract, problems = parse_contract(kept.source, path)
    if contract is None and kept.has_contract:  # only an entry that somebody made up says so
        contract = _empty(path)
    return contract, problems


def _empty(path: Path) -> Contract:
    return Contract(
        stem=display_name(path.stem),
        path=path,
        metadata=Metadata(),
        equations={},
        obligations=(),
        falsification_tests=(),
        harnesses=(),
        sections={},
    )


def _encoded(parsed: _Parsed, source: bytes) -> bytes:
    try:
        return encode(*parsed, source)
    except ValueError:
        return b""


def _load(name: str, limit: int) -> dict[bytes, Kept]:
    """The entries by content; none at all if anything about the file is not as it was written."""
    entries: dict[bytes, Kept] = {}
    data = config.read_cached(name, limit) or b""
    head = _identity()
    place = len(head) + _CHECKSUM.size
    body = memoryview(data)[place:]
    if not data.startswith(head) or data[len(head) : place] != _CHECKSUM.pack(zlib.crc32(body)):
        return {}
    while place < len(data):
        try:
            source_bytes, kept_bytes, has_contract = _ENTRY.unpack_from(data, place)
        except struct.error:
            return {}
        middle = place + _ENTRY.size + source_bytes
        end = middle + kept_bytes
        if end > len(data):
            return {}
        source = data[place + _ENTRY.size : middle]
        entries[source] = Kept(name, source, data[middle:end], has_contract)
        place = end
    return entries


def _store(name: str, entries: Iterable[Kept]) -> None:
    body = b"".join(
        _ENTRY.pack(len(kept.source), len(kept.data), kept.has_contract) + kept.source + kept.data
        for kept in entries
    )
    config.write_cached(name, _identity() + _CHECKSUM.pack(zlib.crc32(body)) + body)


def _file_name(root: Path) -> str:
    identity = _identity() + os.fsencode(os.path.abspath(root))
    return f"contracts-{zlib.crc32(identity):08x}.bin"


@cache
def _identity() -> bytes:
    """What the entries depend on besides the content: format, version, and the code that parses."""
    code: list[tuple[str, int, int]] = []
    with contextlib.suppress(OSError), os.scandir(os.path.dirname(__file__)) as modules:
        for entry in modules:
            if entry.name.endswith(".py"):
                facts = entry.stat()
                code.append((entry.name, facts.st_size, facts.st_mtime_ns))
    code.sort()
    stamp = zlib.crc32(repr(code).encode())
    return f"tracepact contracts {_FORMAT} {config.__version__} {stamp:08x}\n".encode()
