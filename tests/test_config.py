"""Where files of the user's machine go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact import config


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACEPACT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")


def test_own_variable_is_the_folder_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", "~/figures")
    assert config.cache_dir() == Path("/home/ada/figures")


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", "/home/ada/.cache/tracepact"),
        ("darwin", "/home/ada/Library/Caches/tracepact"),
        ("win32", "/home/ada/AppData/Local/tracepact"),
    ],
)
def test_default_is_the_platforms_cache_folder(
    monkeypatch: pytest.MonkeyPatch, platform: str, expected: str
) -> None:
    monkeypatch.setattr(config.sys, "platform", platform)
    assert config.cache_dir() == Path(expected)


def test_local_app_data_wins_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert config.cache_dir() == Path("/local/tracepact")


@pytest.mark.parametrize(
    ("xdg", "expected"),
    [("/var/cache/ada", "/var/cache/ada/tracepact"), ("relative", "/home/ada/.cache/tracepact")],
)
def test_relative_xdg_folder_is_ignored(
    monkeypatch: pytest.MonkeyPatch, xdg: str, expected: str
) -> None:
    monkeypatch.setattr(config.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert config.cache_dir() == Path(expected)
