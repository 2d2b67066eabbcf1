"""Evidence files: what counts, what no longer counts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.errors import ConfigError
from tracepact.evidence import Result, evidence_file, load_evidence, write_evidence

ROWS = Result(
    test="tests/test_a.py::test_rows",
    kind="property",
    outcome="passed",
    contract="softmax-kernel-v1",
    equation="softmax",
    obligation="Output sums to 1",
    function="kernels:softmax",
    detail="100 cases",
    files=("kernels.py",),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the file that `ROWS` rests on."""
    (tmp_path / "kernels.py").write_text("def softmax(x): ...")
    return tmp_path


def test_results_come_back_as_they_were_written(project: Path) -> None:
    file = project / "new" / "evidence.json"
    write_evidence(file, project, [ROWS])
    assert load_evidence(file, project) == (ROWS,)


def test_no_file_is_no_evidence(tmp_path: Path) -> None:
    assert load_evidence(tmp_path / "evidence.json", tmp_path) == ()


def test_a_result_ends_with_the_files_that_it_rests_on(project: Path) -> None:
    file = project / "evidence.json"
    write_evidence(file, project, [ROWS])
    (project / "kernels.py").write_text("def softmax(x): return x")
    assert load_evidence(file, project) == ()
    (project / "kernels.py").unlink()
    assert load_evidence(file, project) == ()


def test_results_of_other_tests_stay(project: Path) -> None:
    file = project / "evidence.json"
    other = Result(test="tests/test_b.py::test_b", kind="test", outcome="passed")
    write_evidence(file, project, [ROWS, other])
    failed = Result(test=ROWS.test, kind="property", outcome="failed", files=ROWS.files)
    write_evidence(file, project, [failed])
    assert load_evidence(file, project) == (failed, other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 2, "files": {}, "results": []}',
        '{"version": 1, "files": {}, "results": [{"test": 1, "kind": "test"}]}',
        '{"version": 1, "files": {}, "results": [{"test": "a", "kind": "x", "outcome": "passed"}]}',
        '{"version": 1, "files": {}, "results": [{"kind": "test", "outcome": "passed"}]}',
        "[" * 100_000,
    ],
)
def test_something_else_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="no evidence file"):
        write_evidence(file, tmp_path, [])
    assert file.read_text() == text


def test_file_is_what_the_project_names_else_the_default(project: Path) -> None:
    assert evidence_file(project) == project / ".tracepact/evidence.json"
    (project / "pyproject.toml").write_text('[tool.tracepact]\nevidence = "runs.json"\n')
    assert evidence_file(project) == project / "runs.json"
    (project / "pyproject.toml").write_text("[tool.tracepact]\nevidence = 3\n")
    with pytest.raises(ConfigError, match="evidence must be the name of a file"):
        evidence_file(project)
