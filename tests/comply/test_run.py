"""A run of comply: which checks, what it looks at, and that it only looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tracepact.comply.run import all_checks, comply
from tracepact.comply.settings import Settings
from tracepact.errors import ConfigError


def test_checks_are_those_of_the_ecosystem() -> None:
    assert list(all_checks()) == [f"CB-{number}" for number in range(1200, 1212)]


def test_names_are_unique_and_outcomes_are_said() -> None:
    checks = all_checks().values()
    assert len({check.rule.name for check in checks}) == len({c.title for c in checks}) == 12
    assert all(check.skips and (check.fails or check.warns) for check in checks)
    assert all(check.run.__module__.endswith(check.rule.id[3:]) for check in checks)


def test_code_is_never_run(tree: Any) -> None:
    trap = "import pathlib\npathlib.Path('trap').touch()\nraise SystemExit\n"
    for name in ("setup.py", "conftest.py", "src/demo/__init__.py", "tests/conftest.py"):
        tree.write(name, trap)
    tree.write("src/demo/kernels.py", trap + (tree.folder / "src/demo/kernels.py").read_text())
    before = sorted(tree.folder.rglob("*"))
    report = comply(tree.folder)
    assert [each.name for each in report.gates if each.status == "failed"] == []
    assert sorted(tree.folder.rglob("*")) == before
    assert not Path("trap").exists()


def test_repository_is_left_as_it_is(tree: Any) -> None:
    tree.git("init", "-q")
    tree.git("add", "-A")
    tree.git("commit", "-m", "x")
    os.utime(tree.folder / "src/demo/kernels.py", (1, 1))
    index = (tree.folder / ".git/index").read_bytes()
    assert tree.check("CB-1207")[0] == "passed"
    assert (tree.folder / ".git/index").read_bytes() == index


def test_selection_by_name_or_id_says_what_was_left_out(tree: Any) -> None:
    report = comply(tree.folder, Settings(select=("contract-drifts", "CB-1211")))
    ran = {each.order for each in report.gates if each.reason != "not selected"}
    assert ran == {1207, 1211}


def test_unknown_check_is_refused(tree: Any) -> None:
    with pytest.raises(ConfigError, match="'CB-1299'"):
        comply(tree.folder, Settings(select=("CB-1299",)))


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        comply(tmp_path / "nowhere")


def test_sources_that_are_not_there_are_refused(tree: Any) -> None:
    with pytest.raises(ConfigError, match="correct `sources`"):
        comply(tree.folder, Settings(sources=("lib",)))


def test_empty_folder_passes_nothing(tmp_path: Path) -> None:
    report = comply(tmp_path)
    assert {each.status for each in report.gates} == {"skipped"}


def test_evidence_of_another_version_is_refused(tree: Any) -> None:
    tree.write(".tracepact/evidence.json", '{"version": 0}')
    with pytest.raises(ConfigError, match="is no evidence file"):
        comply(tree.folder)


def test_shipped_contracts_count_where_the_code_names_them(tree: Any) -> None:
    tree.remove("contracts/twice-v1.yaml", "binding.yaml")
    tree.write(
        "src/demo/kernels.py",
        "import tracepact as tp\n\n"
        '@tp.contract("softmax-kernel-v1", "softmax")\ndef softmax(x):\n    return f(x)\n',
    )
    assert tree.check("CB-1202") == ("passed", "1 of 1 critical function named by a contract")
    assert tree.check("CB-1203")[0] == "passed"
    assert tree.check("CB-1204")[0] == "passed"
    assert tree.check("CB-1205")[0] == "skipped"


def test_of_two_contracts_with_one_name_the_first_counts(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    tree.write("contracts/zz/twice-v1.yaml", text.replace("test_finite", "test_gone"))
    assert tree.check("CB-1201")[0] == "passed"
    assert tree.check("CB-1205")[1].startswith("1 contract with obligations, 0 not")
