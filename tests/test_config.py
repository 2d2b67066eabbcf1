"""Where files of the user's machine go, and which are trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tracepact import config


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACEPACT_CACHE", "TRACEPACT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with one file, `kind-a`."""
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", str(tmp_path / "deep" / "folder"))
    config.write_cached("kind-a", b"text")
    return tmp_path / "deep" / "folder"


@pytest.mark.usefixtures("folder")
def test_what_was_written_is_read() -> None:
    assert config.read_cached("kind-a", 4) == b"text"
    assert config.read_cached("kind-b", 4) is None


@pytest.mark.usefixtures("folder")
def test_what_was_forgotten_is_gone() -> None:
    config.forget_cached("kind-a")
    config.forget_cached("kind-a")
    assert config.read_cached("kind-a", 4) is None


@pytest.mark.usefixtures("folder")
def test_file_above_the_limit_is_not_read() -> None:
    assert config.read_cached("kind-a", 3) is None


def test_switch_neither_reads_nor_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CACHE", "off")
    config.write_cached("kind-b", b"text")
    assert [file.name for file in folder.iterdir()] == ["kind-a"]
    assert config.read_cached("kind-a", 4) is None


def test_link_is_not_followed_but_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    (folder / "kind-b").symlink_to(tmp_path / "target")
    assert config.read_cached("kind-b", 4) is None
    config.write_cached("kind-b", b"text")
    assert config.read_cached("kind-b", 4) == b"text"
    assert (tmp_path / "target").read_bytes() == b"mine"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_is_neither_read_nor_waited_for(folder: Path, make: Any) -> None:
    make(folder / "kind-b")
    assert config.read_cached("kind-b", 10_000) is None
    config.write_cached("kind-b", b"text")
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_file_that_others_may_write_is_not_read(folder: Path, mode: int) -> None:
    (folder / "kind-a").chmod(mode)
    assert config.read_cached("kind-a", 4) is None


@pytest.mark.usefixtures("folder")
def test_file_of_another_user_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.os, "getuid", lambda: 12_345)
    assert config.read_cached("kind-a", 4) is None


def test_of_one_kind_the_newest_files_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_KEPT_FILES", 3)
    (folder / "other-kind").touch()
    for number, name in enumerate(["kind-b.0.part", "kind-c", "kind-d"], 1):
        (folder / name).touch()
        os.utime(folder / name, (number, number))
    os.utime(folder / "kind-a", (0, 0))
    config.write_cached("kind-e", b"")
    left = sorted(file.name for file in folder.iterdir())
    assert left == ["kind-c", "kind-d", "kind-e", "other-kind"]


def test_of_one_kind_few_bytes_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_KEPT_BYTES", 6)
    os.utime(folder / "kind-a", (0, 0))
    config.write_cached("kind-b", b"123")
    assert [file.name for file in folder.iterdir()] == ["kind-b"]
    config.write_cached("kind-c", b"1234567")
    assert [file.name for file in folder.iterdir()] == ["kind-c"]


def test_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    config.write_cached("kind-a", b"text")
    assert config.read_cached("kind-a", 4) is None
    config.forget_cached("kind-a")
