"""Settings of comply: what is known, what is refused, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.comply.settings import THRESHOLDS, Settings, read_settings
from tracepact.errors import ConfigError


def settings(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(f"[tool.tracepact.comply]\n{text}")
    return read_settings(folder)


def test_project_without_settings_has_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    assert len(Settings().thresholds) == len(THRESHOLDS)


def test_settings_are_read(tmp_path: Path) -> None:
    found = settings(tmp_path, 'ignore = ["CB-1209"]\nsources = ["lib"]\nmin-score = 0.9\n')
    assert (found.ignore, found.sources) == (("CB-1209",), ("lib",))
    assert found.thresholds["min-score"] == 0.9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min-scor = 1", "unknown key 'min-scor'; did you mean 'min-score'"),
        ("min-score = 2", "min-score must be a number from 0 to 1"),
        ("min-score = true", "min-score must be a number from 0 to 1"),
        ("min-score = nan", "min-score must be a number from 0 to 1"),
        ("select = 'CB-1200'", "select must be a list of texts"),
        ("sources = ['']", "sources must be a list of texts"),
        ("lint-fails = 1", "lint-fails must be true or false"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, text)
