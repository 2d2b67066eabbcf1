"""`tracepact coverage` shows what ran for each obligation, and fails below a share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact import evidence
from tracepact.cli.app import app
from tracepact.errors import ConfigError

TEXT = """
equations: {e: {formula: y = x}}
proof_obligations:
  - {type: bound, property: Is small, formal: y < 1}
  - {property: Is finite | with a name that is far too long for the column of a narrow terminal}
falsification_tests:
  - {id: F-1, rule: Is small, prediction: large is found, test: tests/test_a.py::test_small}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one contract, whose function is bound and was tested."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "demo-v1.yaml").write_text(TEXT)
    (tmp_path / "binding.yaml").write_text(
        "version: 1.0.0\nbindings:\n  - {contract: demo-v1, equation: e, module_path: mod, "
        "function: run, status: implemented}\n"
    )
    (tmp_path / "pyproject.toml").write_text("")
    record("passed")
    return tmp_path


def record(outcome: evidence.Outcome) -> None:
    made = evidence.Result(
        test="demo-v1::Is small", kind="property", outcome=outcome, contract="demo-v1",
        obligation="Is small", detail="x = 7",
    )  # fmt: skip
    evidence.write_evidence(Path(evidence.DEFAULT_FILE), Path.cwd(), [made])


def coverage(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["coverage", "contracts", *map(str, arguments)])


@pytest.mark.usefixtures("project")
def test_matrix_fits_a_terminal_of_80_columns() -> None:
    result = coverage()
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[1] == "demo-v1  38 %"
    assert lines[2].split("  ")[1].strip() == "Is small"
    assert lines[2].split()[2:] == ["not", "run", "passed", "none", "passed"]
    assert "…" in lines[3]
    assert max(map(len, lines)) <= 80
    assert " 37.5 %  covered" in lines


@pytest.mark.usefixtures("project")
def test_share_below_the_limit_fails() -> None:
    assert coverage("--fail-under", "37.5").exit_code == 0
    result = coverage("--fail-under", "50")
    assert result.exit_code == 1
    assert "37.5 % is less than --fail-under 50" in result.output


@pytest.mark.usefixtures("project")
def test_failed_test_fails_and_is_explained() -> None:
    record("failed")
    result = coverage()
    assert result.exit_code == 1
    assert "property test failed: x = 7" in result.stdout


@pytest.mark.usefixtures("project")
def test_json_says_what_is_missing() -> None:
    data = json.loads(coverage("--format", "json").stdout)
    assert data["covered_percent"] == 37.5
    assert data["columns"] == {
        "falsification": 0.0, "property": 50.0, "bounded": 0.0, "binding": 100.0,
    }  # fmt: skip
    first = data["obligations"][0]
    assert first["location"]["line"] == 4
    assert first["missing"] == [
        "falsification test: written, but nothing says that it passed",
        "bounded proof: there is none",
    ]


@pytest.mark.usefixtures("project")
def test_markdown_is_a_table_that_names_cannot_leave() -> None:
    lines = coverage("--format", "markdown").stdout.splitlines()
    assert lines[0] == "## Coverage of obligations: 37.5 %"
    rows = [line for line in lines if line.startswith("| demo")]
    assert [row.replace(r"\|", "").count("|") for row in rows] == [7, 7]


def test_without_results_it_says_how_to_get_them(project: Path) -> None:
    (project / evidence.DEFAULT_FILE).unlink()
    assert "run `pytest --tracepact` first" in coverage().stdout


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("option", ["--source", "--binding", "--evidence"])
def test_file_that_is_not_there_is_named(option: str) -> None:
    result = coverage(option, "nowhere")
    assert isinstance(result.exception, ConfigError)
    assert f"{option} nowhere" in str(result.exception)
