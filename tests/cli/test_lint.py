"""`tracepact lint`: exit codes, formats, only what changed, comments that accept findings."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError
from tracepact.lint.run import lint

EXAMPLES = Path(__file__).parents[1] / "lint" / "examples"
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
        ([".", "--evidence", "nowhere"], "--evidence nowhere does not exist"),
        ([".", "--min-score", "Z"], "--min-score: a score must be a number from 0 to 1, or one of"),
        ([".", "--min-score", "1.5"], "--min-score: a score must be a number from 0 to 1, or one"),
        ([".", "--binding", "nowhere"], "--binding nowhere does not exist"),
        ([".", "--baseline", "nowhere"], "--baseline nowhere: No such file"),
        ([".", "--suggest", "--fix"], "--suggest prints a diff; leave out --fix"),
        ([".", "--suggest", "--format", "json"], "leave out --fix and --format"),
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
    found = sorted({one.rule.id for one in report.open} - {"PV-AUD-003", "PV-SCR-004"})
    assert found == rules


@pytest.mark.parametrize("least", ["A", "0.9"])
def test_least_score_is_a_number_or_a_grade(tmp_path: Path, least: str) -> None:
    result = call(write(tmp_path, WARNED), "--min-score", least)
    assert result.exit_code == 1
    assert "error PV-SCR-001 score 0." in result.stdout
    assert "is below 0.90" in result.stdout
    assert call(write(tmp_path, WARNED), "--min-score", "0.2").exit_code == 0


def test_least_level_needs_results_that_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES / "PV-ENF-003" / "good", tmp_path / "good")
    result = call("good", "--min-level", "strict")
    assert result.exit_code == 1
    assert "below the level strict, which this run asks for" in result.stdout
    assert "nothing of it ran, or --evidence is old" in result.stdout
    evidence = "good/evidence.json"
    assert call("good", "--min-level", "strict", "--evidence", evidence).exit_code == 0
    assert call("good", "--min-level", "proven", "--evidence", evidence).exit_code == 1


def test_level_that_is_claimed_needs_results_and_the_usual_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own-v1.yaml"
    text = (EXAMPLES / "PV-ENF-003" / "good" / "own-v1.yaml").read_text()
    path.write_text(text)
    assert "below the level strict, which it claims" in call(path).stdout
    path.write_text(text.replace("  enforcement_level: strict\n", ""))
    assert "PV-ENF-003" not in call(path).stdout


MISSPELT = """\
equation: {e: {formula: x}}
metadata: {version: 1.0.0, references: [r], kind: pattern}
"""


def test_fix_writes_says_what_and_reports_what_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, MISSPELT)
    result = call(path, "--fix", "--format", "json")
    assert result.exit_code == 0
    assert path.read_text() == MISSPELT.replace("equation", "equations")
    assert "own-v1.yaml:1:1: fixed PV-VAL-003 unknown section 'equation'" in result.stderr
    assert "PV-VAL-003" not in {one["rule"] for one in json.loads(result.stdout)["findings"]}


def test_suggest_prints_a_diff_and_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, MISSPELT)
    result = call(path, "--suggest")
    assert result.stdout.splitlines()[2:5] == [
        "@@ -1,2 +1,2 @@",
        "-equation: {e: {formula: x}}",
        "+equations: {e: {formula: x}}",
    ]
    assert "1 file:" in result.stderr
    assert path.read_text() == MISSPELT


def test_report_is_the_baseline_of_the_next_run(tmp_path: Path) -> None:
    path, baseline = write(tmp_path, BAD), tmp_path / "baseline.sarif"
    assert call(path, "--format", "sarif", "--output", baseline).exit_code == 1
    result = call(path, "--baseline", baseline)
    assert result.exit_code == 0
    assert "0 errors, 0 warnings, 0 info, 6 known" in result.stdout
    assert call(write(tmp_path, BAD + "x: 1\n"), "--baseline", baseline, "--strict").exit_code == 1


def test_project_says_once_what_options_say_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, WARNED)
    settings = Path("pyproject.toml")
    settings.write_text('[tool.tracepact.lint]\nstrict = true\nsource = ["src"]\n')
    assert "--source src does not exist" in str(call(path).exception).replace(f"{tmp_path}/", "")
    Path("src").mkdir()
    assert call(path).exit_code == 1
    call(path, "--format", "sarif", "--output", "old.sarif")
    settings.write_text('[tool.tracepact.lint]\nstrict = true\nbaseline = "old.sarif"\n')
    assert call(path).exit_code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("baselin = 'x'", "unknown key 'baselin'; did you mean 'baseline'"),
        ("baseline = 3", "baseline must be the name of a file"),
        ("min-level = 'stric'", "unknown min-level 'stric'; did you mean 'strict'"),
        ("strict = 1", "strict must be true or false"),
        ("source = 'src'", "source must be a list of texts, as ['src', 'tests']"),
    ],
)
def test_mistake_in_the_settings_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text(f"[tool.tracepact.lint]\n{line}\n")
    assert said in str(call(write(tmp_path, WARNED)).exception)
