"""Tests that contracts cite are found by name, whichever of two languages they are written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.lint.sources import defined_names


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("t.py", "def test_it(): ..."),
        ("t.py", "    async def test_it(self): ..."),
        ("t.rs", "fn test_it() {}"),
        ("t.rs", "pub async fn test_it() {}"),
        ("t.rs", "    pub(crate) fn test_it() {}"),
    ],
)
def test_definition_is_found(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(f"{line}\n")
    assert defined_names([tmp_path]) == {"test_it": {tmp_path / name}}


@pytest.mark.parametrize("line", ["# def test_it():", "call(fn test_it)", "undef test_it"])
def test_mention_is_no_definition(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.py").write_text(f"{line}\n")
    assert defined_names([tmp_path]) == {}
