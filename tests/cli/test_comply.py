"""`tracepact comply`: exit codes, formats, options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError

BINDING = (
    "version: '1'\nbindings:\n  - {contract: softmax-kernel-v1, equation: softmax,"
    " module_path: kernels, function: softmax, status: implemented}\n"
)
KERNELS = (
    "from tracepact import contract\n\n"
    '@contract("softmax-kernel-v1", "softmax")\ndef softmax(x):\n    return x + 0\n'
)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["comply", *(str(argument) for argument in arguments)])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one bound function."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "binding.yaml").write_text(BINDING)
    (tmp_path / "kernels.py").write_text(KERNELS)
    return tmp_path


def test_failed_check_exits_1(project: Path) -> None:
    (project / "kernels.py").unlink()
    result = call(project, "--select", "CB-1208")
    assert result.exit_code == 1
    assert "CB-1208 failed" in result.stdout
    assert "12 checks: 0 passed, 0 warned, 1 failed, 11 skipped" in result.stdout


def test_warnings_fail_only_when_strict(project: Path) -> None:
    assert call(project, "--select", "CB-1206").exit_code == 0
    assert call(project, "--select", "CB-1206", "--strict").exit_code == 1


def test_clean_project_exits_0_and_checks_can_be_left_out(project: Path) -> None:
    assert call(project).exit_code == 1
    result = call(project, "--ignore", "CB-1204")
    assert result.exit_code == 0
    assert "build looks at contracts: not selected" in result.stdout


def test_settings_of_the_project_count(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.tracepact.comply]\nignore = ["CB-1204"]\n')
    assert call(project).exit_code == 0


def test_every_format_is_written_to_a_file_without_colours(project: Path) -> None:
    for format_ in ("text", "json", "github", "markdown", "sarif"):
        call(project, "--format", format_, "--output", project / "out")
        assert "CB-1204" in (project / "out").read_text()
        assert "\x1b" not in (project / "out").read_text()


def test_evidence_can_be_named(project: Path) -> None:
    passed = {"test": "t", "kind": "bounded", "outcome": "passed", "contract": "softmax-kernel-v1"}
    more = {"equation": "softmax", "obligation": "Output sums to 1", "function": "kernels:softmax"}
    result = {**passed, **more, "detail": "", "files": []}
    file = project / "run.json"
    file.write_text(json.dumps({"version": 1, "files": {}, "results": [result]}))
    shown = call(project, "--evidence", file, "--select", "CB-1206", "--format", "json").stdout
    (check,) = (each for each in json.loads(shown)["checks"] if each["order"] == 1206)
    assert check["reason"].startswith("1 of ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is no folder"),
        ([".", "--evidence", "nowhere.json"], "run `pytest --tracepact` first"),
        ([".", "--select", "CB-9"], "'CB-9'"),
    ],
)
def test_calls_that_cannot_be_carried_out_say_why(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(project)
    result = call(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)


def test_checks_are_printed_as_the_page_has_them() -> None:
    assert call("--checks").stdout.startswith("## Thresholds")
