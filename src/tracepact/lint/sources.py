"""Functions and tests below the folders that a run is given, read once when first asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tracepact.contracts.files import read_bytes
from tracepact.contracts.problem_log import ProblemLog
from tracepact.enforce.functions import SourceFunction, read_functions

_SKIPPED: Final = frozenset(("node_modules", "site-packages", "build", "dist", "target"))
_TEST: Final = re.compile(
    rb"^[ \t]*(?:pub(?:\([^)\n]*\))?\s+)?(?:async\s+)?(?:def|fn)\s+(\w+)", re.MULTILINE
)


def public_functions(sources: Iterable[Path]) -> list[SourceFunction]:
    """Functions of the sources, without those of test files."""
    return [
        function
        for root in sources
        for function in read_functions(root)[0]
        if not _is_test_file(Path(function.location.file), root)
    ]


def defined_names(sources: Iterable[Path]) -> dict[str, set[Path]]:
    """Functions that Python and Rust files define, and in which files; read as text."""
    found: dict[str, set[Path]] = {}
    for root in sources:
        for path in _files(root):
            data = read_bytes(path, ProblemLog(""))
            for name in _TEST.findall(data or b""):
                found.setdefault(name.decode("utf-8", "replace"), set()).add(path)
    return found


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith((".py", ".rs")))


def _is_test_file(path: Path, root: Path) -> bool:
    named = path.name.startswith("test_") or path.name.endswith("_test.py")
    # A folder above the root says nothing: a project may lie below one called `tests`.
    folders = (root.name, *path.relative_to(root).parts[:-1])
    return named or path.name == "conftest.py" or "tests" in folders
