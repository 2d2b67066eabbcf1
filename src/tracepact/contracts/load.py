"""Loading one contract file: what can be understood is kept, the rest becomes problems."""

from __future__ import annotations

import os
from pathlib import Path

from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.model import Contract, Problem
from tracepact.contracts.problem_log import ProblemLog, Spot
from tracepact.contracts.yaml_nodes import Node

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def load_contract(path: str | os.PathLike[str]) -> tuple[Contract | None, list[Problem]]:
    """Load one file, whatever it is; never raises for what the file holds.

    Time and memory are bounded by `files.MAX_BYTES` and the limits of `yaml_tree`; a contract of
    7 KB takes about a millisecond.
    """
    log = ProblemLog(display_name(Path(path)))
    data = read_bytes(Path(path), log)
    contract = None if data is None else _parse(data, Path(path), log)
    return contract, log.problems


def parse_contract(
    data: bytes, path: str | os.PathLike[str]
) -> tuple[Contract | None, list[Problem]]:
    """The same for contents that were read already; `path` gives the stem and the locations."""
    log = ProblemLog(display_name(Path(path)))
    return _parse(data, Path(path), log), log.problems


def read_tree(path: Path, log: ProblemLog) -> Node | None:
    """The YAML tree of a file; None, with a problem in the log, where it has none."""
    data = read_bytes(path, log)
    return None if data is None else _tree(data, log)


def _parse(data: bytes, path: Path, log: ProblemLog) -> Contract | None:
    from tracepact.contracts.sections import read_document  # noqa: PLC0415 - see _tree

    root = _tree(data, log)
    return None if root is None else read_document(root, display_name(path.stem), path, log)


def _tree(data: bytes, log: ProblemLog) -> Node | None:
    # PyYAML takes 10 ms to import, and is not needed where the cache has the contract.
    from tracepact.contracts.yaml_tree import parse_tree  # noqa: PLC0415

    text = _decode(data, log)
    return None if text is None else parse_tree(text, log)


def _decode(data: bytes, log: ProblemLog) -> str | None:
    if b"\0" in data:
        log.add(None, "not a text file", "save it as UTF-8 text")
        return None
    if data.startswith(_BYTE_ORDER_MARK):
        log.add(None, "starts with a byte order mark", "save it as UTF-8 without one")
        data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        text = data.decode(errors="replace")
        place = Spot.at(text, len(data[: error.start].decode()))
        log.add(place, f"not UTF-8: {error.reason}", "save the file as UTF-8")
        return text
