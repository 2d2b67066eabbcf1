"""`tracepact score` prints what contracts are worth, and exits 1 for claims above the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Output

from tracepact.cli.app import app
from tracepact.errors import ConfigError
from tracepact.evidence import Result, write_evidence

ROOT = Path(__file__).parents[2]
NOTHING = '{"version": 1, "files": {}, "results": []}'


def score(*arguments: object) -> Output:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_own_contracts_cite_only_tests_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    binding = ROOT / "src/tracepact/binding.yaml"
    evidence = tmp_path / "evidence.json"
    evidence.write_text(NOTHING)
    given = ("--source", ".", "--binding", binding, "--evidence", evidence)
    result = score(*given, "--format", "json")
    data = json.loads(result.stdout)
    assert data["findings"] == []
    assert result.exit_code == 0
    assert len(data["contracts"]) >= 28
    assert max(each["level"] for each in data["contracts"]) == 1
    assert all(each["dimensions"]["falsification"] == 1 for each in data["contracts"])
    assert [each["placeholders"] for each in data["contracts"] if each["placeholders"]] == []
    assert data["codebase"]["parts"]["freshness"] == 1.0


def test_stem_is_scored_as_written_without_sources() -> None:
    result = score("softmax-kernel-v1")
    assert result.exit_code == 0
    assert (
        "softmax-kernel-v1  1.00  1.00  1.00  0.00     -   0.87  B      -    1.00" in result.stdout
    )
    assert "--source DIR looks them up" in result.stdout


def test_missing_test_is_a_finding_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "scale-v1.yaml"
    path.write_text(
        "equations: {e: {formula: f}}\nproof_obligations: [{property: p}]\n"
        "falsification_tests:\n  - {id: F-1, rule: p, test: test_nothing}\n"
    )
    result = score(path, "--source", tmp_path)
    assert result.exit_code == 1
    assert "scale-v1.yaml:4:5: test F-1 cites test_nothing, which is not there" in result.stdout


def test_placeholder_is_printed_but_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "scale-v1.yaml"
    path.write_text("equations: {e: {formula: f, preconditions: ['len(x) > 0']}}\n")
    result = score(path)
    assert result.exit_code == 0
    assert "placeholder in scale-v1/e: len(x) > 0 (only asks" in result.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contract whose test is there, and passed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scale-v1.yaml").write_text(
        "equations: {e: {formula: f}}\nproof_obligations: [{property: p}]\n"
        "falsification_tests:\n  - {id: F-1, rule: p, test: test_it}\n"
    )
    (tmp_path / "t.py").write_text("def test_it(): assert f()\n")
    write_evidence(
        tmp_path / ".tracepact" / "evidence.json",
        tmp_path,
        [Result(test="t.py::test_it", kind="test", outcome="passed", files=("t.py",))],
    )
    return tmp_path


def test_evidence_of_the_project_counts_until_its_files_change(project: Path) -> None:
    first = json.loads(score(".", "--source", ".", "--format", "json").stdout)
    assert (first["contracts"][0]["level"], first["missing"]) == (2, [])
    (project / "t.py").write_text("def test_it(): assert g()\n")
    result = score(".", "--source", ".")
    assert "no level above L1, as nothing is known to have passed" in result.stdout


def test_pyproject_names_the_evidence(project: Path) -> None:
    (project / ".tracepact" / "evidence.json").rename(project / "ran.json")
    (project / "pyproject.toml").write_text('[tool.tracepact]\nevidence = "ran.json"\n')
    data = json.loads(score(".", "--source", ".", "--format", "json").stdout)
    assert data["contracts"][0]["level"] == 2
    (project / "pyproject.toml").write_text("[tool.tracepact]\nevidence = 1\n")
    assert "evidence must be the name of a file" in str(score(".").exception)


def test_source_that_is_no_python_is_said(project: Path) -> None:
    (project / "t.py").write_text("def test_it(:\n")
    assert "unread: t.py:1:13: not Python" in score(".", "--source", ".").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["softmax-kernel"], "did you mean 'softmax-kernel-v1'"),
        (["--source", "nowhere"], "--source nowhere: does not exist"),
        (["--evidence", "no.json"], "--evidence no.json does not exist; run pytest --tracepact"),
        (["--binding", "no.yaml"], "--binding no.yaml: does not exist"),
        (["src/tracepact/cli"], "has no contracts"),
    ],
)
def test_bad_call_says_what_to_do(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = score(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
