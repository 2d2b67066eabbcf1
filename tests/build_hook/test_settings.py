"""`[tool.tracepact]` is the wish to be guarded; what it says about the build is checked."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from tracepact.build_hook.settings import constants_path, is_guarded
from tracepact.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        (None, False),
        ("", False),
        ('[project]\ndependencies = ["tracepact"]', False),
        ("[tool.tracepact", False),
        ("tool = 1 # tracepact", False),
        ("[tool]\ntracepact = 1", False),
        ("[tool.tracepact]", True),
        ("[tool]\ntracepact = {}", True),
        ("[tool.tracepact.build]", True),
    ],
)
def test_only_a_table_asks_for_the_guard(tmp_path: Path, text: str | None, guarded: bool) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert is_guarded(tmp_path) is guarded


def test_constants_are_wanted_only_where_a_path_is_given(tmp_path: Path) -> None:
    assert constants_path(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text("[tool.tracepact]")
    assert constants_path(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[tool.tracepact.build]\nconstants = "demo/_c.py"')
    assert constants_path(tmp_path) == PurePosixPath("demo/_c.py")


@pytest.mark.parametrize(
    "value", ['"../c.py"', '"/c.py"', '"demo/c.txt"', '""', "3", '"demo/.py"', '"a b/c.py"']
)
def test_constants_cannot_leave_the_wheel_or_be_no_module(tmp_path: Path, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.tracepact.build]\nconstants = {value}")
    with pytest.raises(ConfigError, match="no path of a module inside the wheel; write it like"):
        constants_path(tmp_path)


def test_unknown_setting_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tracepact.build]\nconstant = "demo/_c.py"')
    with pytest.raises(ConfigError, match="no setting 'constant'; known: constants"):
        constants_path(tmp_path)


def test_build_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tracepact]\nbuild = 1")
    with pytest.raises(ConfigError, match="make it one"):
        constants_path(tmp_path)
