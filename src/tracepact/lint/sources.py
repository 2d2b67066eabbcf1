"""Functions below the folders that a run is given."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tracepact.contracts import Problem
from tracepact.enforce.functions import SourceFunction, read_functions


def public_functions(sources: Iterable[Path]) -> tuple[list[SourceFunction], list[Problem]]:
    """Functions of the sources without those of test files, and files that cannot be read."""
    functions: list[SourceFunction] = []
    problems: list[Problem] = []
    for root in sources:
        found, unread = read_functions(root)
        functions += (f for f in found if not _is_test_file(Path(f.location.file), root))
        problems += (p for p in unread if not _is_test_file(Path(p.location.file), root))
    return functions, problems


def _is_test_file(path: Path, root: Path) -> bool:
    named = path.name.startswith("test_") or path.name.endswith("_test.py")
    # A folder above the root says nothing: a project may lie below one called `tests`.
    folders = (root.name, *path.relative_to(root).parts[:-1])
    return named or path.name == "conftest.py" or "tests" in folders
