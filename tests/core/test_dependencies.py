"""Dependencies of the spine point one way; nothing below knows what is built on it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tracepact

SHARED = {"errors", "types", "violation"}
ALLOWED = {
    "core": {"core", "errors", "types"},
    "predicate": {"predicate", "core", "errors", "types"},
    "exporters": {"exporters"} | SHARED,
    "tracing": {"tracing", "contracts", "exporters", "predicate", "core"} | SHARED,
}


def imported_rooms(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("tracepact.")}


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_only_what_is_below_it(room: str) -> None:
    folder = Path(tracepact.__file__).parent / room
    used = set().union(*map(imported_rooms, folder.glob("**/*.py")))
    assert used - ALLOWED[room] == set()
    assert room in used, "the folder must have been read"
