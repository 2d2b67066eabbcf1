"""Both sides of a comparison, from disk and from git; nothing that is named becomes an option."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tracepact.contracts.files import MAX_BYTES
from tracepact.drift.compare import diff_sets
from tracepact.drift.sides import open_sides
from tracepact.errors import ConfigError

CONTRACT = "metadata: {version: 1.0.0}\nequations: {e: {formula: y = x}}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits: `old` has two contracts, the second one changed one."""
    folder = tmp_path / "contracts"
    (folder / "deep").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "a-v1.yaml").write_text(CONTRACT)
    (folder / "deep" / "b é-v1.yml").write_text(CONTRACT)
    (folder / ".hidden" / "h-v1.yaml").write_text(CONTRACT)
    (folder / "binding.yaml").write_text("bindings: []\n")
    (folder / "notes.md").write_text("no contract\n")
    (folder / "link-v1.yaml").symlink_to("a-v1.yaml")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "tag", "old")
    (folder / "a-v1.yaml").write_text(CONTRACT.replace("1.0.0", "2.0.0").replace("= x", "= x * x"))
    git(tmp_path, "commit", "-qam", "two")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def version(side: object, name: str) -> str:
    return side.files[name].contract.metadata.version  # type: ignore[attr-defined,no-any-return]


def test_revision_and_path_give_contracts_without_a_checkout(repository: Path) -> None:
    old, new = open_sides("old:contracts", None)
    assert set(old.files) == {"a-v1.yaml", "deep/b é-v1.yml"}
    assert (version(old, "a-v1.yaml"), version(new, "a-v1.yaml")) == ("1.0.0", "2.0.0")
    contract = old.files["a-v1.yaml"].contract
    assert contract is not None
    place = contract.equations["e"].location
    assert (str(place), contract.stem) == ("old:contracts/a-v1.yaml:2:16", "a-v1")
    assert (repository / "contracts" / "a-v1.yaml").read_text().count("2.0.0") == 1


def test_whole_revision_is_what_lies_below_the_current_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "contracts" / "deep")
    old, new = open_sides("old", None)
    assert list(old.files) == list(new.files) == ["b é-v1.yml"]
    old, _ = open_sides("old:..", None)
    assert set(old.files) == {"a-v1.yaml", "deep/b é-v1.yml"}


@pytest.mark.usefixtures("repository")
def test_one_file_of_a_revision_has_its_name() -> None:
    old, new = open_sides("old:contracts/a-v1.yaml", "contracts/a-v1.yaml")
    assert list(old.files) == list(new.files) == ["a-v1.yaml"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    "text", ["old..main:contracts", "old..:contracts", "main~1..main:contracts"]
)
def test_range_names_both_sides(text: str) -> None:
    old, new = open_sides(text, None)
    assert (version(old, "a-v1.yaml"), version(new, "a-v1.yaml")) == ("1.0.0", "2.0.0")


@pytest.mark.usefixtures("repository")
def test_path_that_is_gone_now_is_a_side_without_contracts() -> None:
    Path("contracts/a-v1.yaml").unlink()
    old, new = open_sides("old:contracts/a-v1.yaml", None)
    assert (len(old.files), new.files) == (1, {})


@pytest.mark.usefixtures("repository")
def test_file_that_is_too_large_is_not_read() -> None:
    Path("contracts/large-v1.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    git(Path.cwd(), "add", "-A")
    git(Path.cwd(), "commit", "-qm", "large")
    file = open_sides("HEAD:contracts", None)[0].files["large-v1.yaml"]
    assert file.contract is None
    assert "larger than 4 MiB" in file.problems[0].message


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("--upload-pack=x", None, "no revision"),
        ("-O:contracts", None, "no revision"),
        ("nowhere", None, "neither a path nor a revision"),
        ("old:nowhere", None, "has no contracts"),
        ("old...main", None, "three dots"),
        ("old..main", "contracts", "leave out contracts"),
        ("contracts", None, "nothing to compare it with"),
        ("old; true", None, "neither a path nor a revision"),
        ("old\n--help", None, "neither a path nor a revision"),
    ],
)
def test_bad_name_says_what_to_do(old: str, new: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_sides(old, new)


def test_outside_of_a_repository_a_revision_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="neither a path nor a revision"):
        open_sides("HEAD", None)


def test_without_git_a_revision_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is needed"):
        open_sides("HEAD", None)


@pytest.mark.usefixtures("repository")
def test_only_files_that_differ_are_parsed() -> None:
    old, new = open_sides("old..main:contracts", None)
    (found,) = diff_sets(old.files, new.files)
    assert found.stem == "a-v1"
    parsed = {name for name, file in old.files.items() if "_parsed" in vars(file)}
    assert parsed == {"a-v1.yaml"}
