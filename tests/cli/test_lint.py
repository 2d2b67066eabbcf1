"""`tracepact lint`: exit codes, formats, only what changed, comments that accept findings."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError
from tracepact.lint.run import lint

BAD = "equations: {e: {domain: x}}\n"
WARNED = (
    "metadata: {version: 1.0.0, kind: pattern, references: [r]}\nequations: {e: {formula: y}}\n"
)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["lint", *(str(argument) for argument in arguments)])


def write(folder: Path, text: str, stem: str = "own-v1") -> Path:
    path = folder / f"{stem}.yaml"
    path.write_text(text)
    return path


def test_error_exits_1_and_is_shown_with_its_line(tmp_path: Path) -> None:
    result = call(write(tmp_path, BAD))
    assert result.exit_code == 1
    assert "own-v1.yaml:1:16: error PV-VAL-004 equation 'e' has no formula" in result.stdout
    assert "1 | equations: {e: {domain: x}}\n  |                ^^^^^^^^^^^^" in result.stdout


def test_warnings_fail_only_when_strict(tmp_path: Path) -> None:
    path = write(tmp_path, WARNED)
    assert call(path).exit_code == 0
    assert call(path, "--strict").exit_code == 1


def test_first_gate_that_fails_keeps_the_others_from_a_file(tmp_path: Path) -> None:
    found = json.loads(call(write(tmp_path, BAD), "--format", "json").stdout)["findings"]
    assert {one["gate"] for one in found} == {"validate"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "does not exist"),
        ([], "nothing to lint"),
        ([".", "--select", "PV-VALL"], "no rule or gate 'PV-VALL'; did you mean"),
        ([".", "--source", "nowhere"], "--source nowhere does not exist"),
        ([".", "--binding", "nowhere"], "--binding nowhere does not exist"),
    ],
)
def test_mistake_in_the_call_says_what_to_do(arguments: list[str], said: str) -> None:
    result = call(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)


def test_hostile_names_cannot_add_lines_or_commands(tmp_path: Path) -> None:
    path = write(tmp_path, 'equations: {"a\\n::error::b|\\e[31m": {domain: x}}\n')
    for kind in ("text", "github", "markdown"):
        text = call(path, "--format", kind).stdout
        assert "\x1b" not in text
        assert not any(line.startswith("::error::b") for line in text.splitlines())


def test_only_changed_files_are_linted(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        user = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *user, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    write(tmp_path, BAD, "old-v1")
    git("add", "-A")
    git("commit", "-qm", "first")
    write(tmp_path, BAD, "new-v1")
    result = call(tmp_path, "--diff", "HEAD", "--format", "json")
    assert {one["contract"] for one in json.loads(result.stdout)["findings"]} == {"new-v1"}
    assert isinstance(call(tmp_path, "--diff", "--output=x").exception, ConfigError)


@pytest.mark.parametrize(
    ("today", "rules"), [(date(2026, 12, 1), []), (date(2027, 1, 2), ["PV-AUD-001", "PV-SUP-001"])]
)
def test_suppression_ends_after_its_date(tmp_path: Path, today: date, rules: list[str]) -> None:
    comment = "# tracepact: ignore-file[PV-AUD-001, PV-AUD-003] until 2027-01-01\n"
    report = lint([write(tmp_path, WARNED + comment)], today=today)
    found = sorted({one.rule.id for one in report.open} - {"PV-AUD-003"})
    assert found == rules
