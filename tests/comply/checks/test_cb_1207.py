"""CB-1207: a contract that is older than its code, and old, warns."""

from __future__ import annotations

from typing import Any

import pytest


def commit(tree: Any, date: str) -> None:
    tree.git("add", "-A")
    tree.git("commit", "-m", "x", date=date)


@pytest.fixture
def history(tree: Any) -> Any:
    """The code base, committed long ago."""
    tree.git("init", "-q")
    commit(tree, "2020-01-01T00:00:00Z")
    return tree


def test_old_contract_of_code_as_old_passes(history: Any) -> None:
    assert history.check("CB-1207") == ("passed", "1 bound contract, 0 drifting")


def test_old_contract_of_newer_code_warns(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    commit(history, "2020-03-01T00:00:00Z")
    status, said = history.check("CB-1207")
    assert status == "warned"
    assert "kernels.py changed 60 days after the contract" in said


def test_change_of_other_code_does_not_matter(history: Any) -> None:
    history.write("src/demo/other.py", "x = 1")
    commit(history, "2020-03-01T00:00:00Z")
    assert history.check("CB-1207")[0] == "passed"


def test_contract_that_changed_with_the_code_passes(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    history.edit("contracts/twice-v1.yaml", "y = 2 x", "y = x + x")
    commit(history, "2020-03-01T00:00:00Z")
    assert history.check("CB-1207")[0] == "passed"


def test_young_contract_passes_whatever_its_code_does(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    commit(history, "2020-03-01T00:00:00Z")
    history.set(max_age_days=100_000)
    assert history.check("CB-1207")[0] == "passed"


def test_touching_the_contract_does_not_make_it_young(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    commit(history, "2020-03-01T00:00:00Z")
    (history.folder / "contracts/twice-v1.yaml").touch()
    assert history.check("CB-1207")[0] == "warned"


def test_change_that_is_not_committed_counts(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    assert history.check("CB-1207")[0] == "warned"


def test_folder_without_repository_is_skipped(tree: Any) -> None:
    status, said = tree.check("CB-1207")
    assert status == "skipped"
    assert "not a git repository" in said


def test_project_without_bindings_is_skipped(history: Any) -> None:
    history.remove("binding.yaml")
    assert history.check("CB-1207")[0] == "skipped"


def test_shallow_clone_is_skipped(history: Any) -> None:
    history.edit("src/demo/kernels.py", "2 * x", "x + x")
    commit(history, "2020-03-01T00:00:00Z")
    (clone := history.folder.parent / "clone").mkdir()
    history.git("clone", "-q", "--depth=1", history.folder.as_uri(), str(clone))
    history.folder = clone
    status, said = history.check("CB-1207")
    assert status == "skipped"
    assert "fetch-depth: 0" in said


def test_binding_of_a_missing_function_is_left_to_another_check(history: Any) -> None:
    history.edit("binding.yaml", "function: twice", "function: gone")
    assert history.check("CB-1207")[0] == "skipped"
