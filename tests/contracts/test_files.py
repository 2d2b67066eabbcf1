"""Claims about finding and reading files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracepact.contracts import files
from tracepact.contracts.files import MAX_BYTES, display_name, find_files, read_bytes
from tracepact.contracts.problem_log import ProblemLog


def read(path: Path) -> tuple[bytes | None, list[str]]:
    log = ProblemLog("f.yaml")
    return read_bytes(path, log), [str(problem) for problem in log.problems]


def find(folder: Path) -> tuple[list[str], list[str]]:
    found, problems = find_files(folder)
    return [str(path.relative_to(folder)) for path in found], [p.message for p in problems]


def test_file_up_to_the_limit_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"#" * MAX_BYTES)
    data, problems = read(tmp_path / "a")
    assert data is not None
    assert len(data) == MAX_BYTES
    assert problems == []


def test_larger_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"#" * (MAX_BYTES + 1))
    assert read(tmp_path / "a") == (None, ["f.yaml:1:1: larger than 4 MiB; split the contract"])


def test_fifo_is_a_problem_and_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    data, problems = read(tmp_path / "a")
    assert data is None
    assert "not a regular file" in problems[0]


def test_endless_device_is_a_problem() -> None:
    data, problems = read(Path("/dev/zero"))
    assert data is None
    assert "not a regular file" in problems[0]


def test_folder_is_a_problem(tmp_path: Path) -> None:
    data, problems = read(tmp_path)
    assert data is None
    assert "cannot be read: " in problems[0]


def test_looping_symbolic_link_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    data, problems = read(tmp_path / "a")
    assert data is None
    assert "cannot be read: Too many levels of symbolic links" in problems[0]


@pytest.mark.parametrize("name", ["gone", "nul\0character", "x" * 5_000])
def test_impossible_path_is_a_problem(tmp_path: Path, name: str) -> None:
    data, problems = read(tmp_path / name)
    assert data is None
    assert len(problems) == 1


def test_unreadable_file_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "open", refuse)
    assert read(tmp_path / "a") == (
        None,
        ["f.yaml:1:1: cannot be read: Permission denied; check the path and its permissions"],
    )


def test_contracts_of_all_folders_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "sub/deep/d.yaml", "x.yaml/e.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = ["a.yml", "b.yaml", "sub/c.yaml", "sub/deep/d.yaml", "x.yaml/e.yaml"]
    assert find(tmp_path) == (expected, [])


def test_bindings_hidden_names_and_other_suffixes_are_left_out(tmp_path: Path) -> None:
    for name in ("binding.yaml", ".a.yaml", "a.json", ".git/b.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find(tmp_path) == ([], [])


def test_looping_folder_is_a_problem_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.yaml").touch()
    (tmp_path / "sub/back").symlink_to(tmp_path)
    assert find(tmp_path) == (["sub/a.yaml"], ["folder is reached twice"])


def test_linked_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.yaml").touch()
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/link").symlink_to(tmp_path / "real")
    assert find(tmp_path / "contracts") == (["link/a.yaml"], [])


def test_unreadable_folder_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    assert find(tmp_path) == ([], ["cannot be searched: Permission denied"])


def test_search_stops_at_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ENTRIES", 2)
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (tmp_path / name).touch()
    assert find(tmp_path) == ([], ["more than 2 files; search stops"])


def test_very_deep_folders_are_searched(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(60):
        folder /= "d" * 20
    folder.mkdir(parents=True)
    (folder / "a.yaml").touch()
    found, problems = find_files(tmp_path)
    assert found == [folder / "a.yaml"]
    assert problems == []


def test_name_that_is_not_utf8_can_be_printed() -> None:
    assert display_name(os.fsdecode(b"a\xff.yaml")) == "a\\udcff.yaml"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_file_that_is_longer_than_it_says_is_read_to_its_end() -> None:
    log = ProblemLog("status")
    assert Path("/proc/self/status").stat().st_size == 0
    data = read_bytes(Path("/proc/self/status"), log)
    assert data is not None
    assert data.endswith(b"\n")
    assert log.problems == []
