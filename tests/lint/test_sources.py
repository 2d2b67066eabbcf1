"""Functions that have to be bound are those of the code, not those of its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.lint.sources import public_functions


@pytest.mark.parametrize("name", ["test_a.py", "a_test.py", "conftest.py", "tests/a.py"])
def test_tests_are_left_out_and_what_is_wrong_with_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "kernels.py").write_text("def scale(x): return 2 * x\n")
    (tmp_path / name).write_text("def help(): return 1\n")
    functions, problems = public_functions([tmp_path])
    assert ([each.name for each in functions], problems) == (["scale"], [])
    (tmp_path / name).write_text("def help(:\n")
    assert public_functions([tmp_path])[1] == []
    (tmp_path / "kernels.py").write_text("def scale(:\n")
    assert len(public_functions([tmp_path])[1]) == 1
