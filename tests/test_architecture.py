"""Dependencies point one way, and no module grows too large."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "tracepact"
MODULES = sorted(SOURCE.rglob("*.py"))

ROOMS = [
    "errors", "types", "config", "violation", "core", "predicate", "contracts", "bindings",
    "exporters", "tracing", "enforce", "codegen", "build_hook", "kernels", "evidence", "score",
    "lint", "prove", "testing", "drift", "comply", "profiling", "model", "faults", "engines",
    "report", "session", "cli",
]  # fmt: skip
"""Each room may import from those before it."""

EXCEPTIONS = {
    # The registry offers the budget that its own contract states; imported when it is asked for.
    ("contracts/registry.py", "profiling"),
}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a module imports while the program runs, wherever the import stands."""
    rooms: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tracepact"):
            parts = (
                [node.module]
                if "." in node.module
                else [f"tracepact.{alias.name}" for alias in node.names]
            )
            rooms.update(map(room_of, parts))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_imports_only_from_rooms_before_its_own(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    if name == "__init__.py":
        return
    own = ROOMS.index(path.relative_to(SOURCE).parts[0].removesuffix(".py"))
    later = {room for room in imported_rooms(path) if ROOMS.index(room) > own}
    assert {(name, room) for room in later} <= EXCEPTIONS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_has_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


def test_rooms_are_those_that_exist() -> None:
    found = {p.name.removesuffix(".py") for p in SOURCE.iterdir()} - {
        "__init__", "__pycache__", "py.typed", "binding.yaml",
    }  # fmt: skip
    assert found == set(ROOMS)


NATIVE = sorted((SOURCE.parents[1] / "native").glob("*.[ch]"))


@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.name)
def test_native_file_has_at_most_500_lines_of_100_columns(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 500
    assert [number for number, line in enumerate(lines, 1) if len(line) > 100] == []


def test_every_native_source_has_its_place_in_the_architecture() -> None:
    text = (SOURCE.parents[1] / "ARCHITECTURE.md").read_text()
    found = {p.name for p in NATIVE if p.suffix == ".c" and not p.name.startswith("kernels_")}
    assert [name for name in sorted(found) if f"`{name}`" not in text] == []
