"""What an earlier report has is known, wherever it moved; what is gone is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracepact.errors import ConfigError
from tracepact.lint.baseline import read_baseline
from tracepact.lint.outputs import json as json_output
from tracepact.lint.outputs import sarif
from tracepact.lint.run import Report, lint
from tracepact.lint.settings import Settings

OLD = "equations: {e: {domain: x}}\n"
NEW = "# moved\n\nequations: {e: {domain: x}, f: {domain: x}}\n"


@pytest.fixture(params=[sarif, json_output], ids=["sarif", "json"])
def baseline(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "baseline"
    path.write_text(request.param.render(run(tmp_path, OLD)))
    return path


def run(folder: Path, text: str, baseline: Path | None = None, **settings: tuple[str]) -> Report:
    path = folder / "own-v1.yaml"
    path.write_text(text)
    known = None if baseline is None else read_baseline(baseline)
    return lint([path], Settings(**settings), baseline=known)  # type: ignore[arg-type]


def test_only_new_findings_count_when_the_old_ones_moved(tmp_path: Path, baseline: Path) -> None:
    report = run(tmp_path, NEW, baseline)
    assert [one.equation for one in report.open] == ["f"]
    assert report.counts["error"] == 1
    assert report.absent == ()


def test_gate_with_known_errors_only_passes(tmp_path: Path, baseline: Path) -> None:
    report = run(tmp_path, OLD, baseline)
    assert report.open == []
    assert {gate.status for gate in report.gates} <= {"passed", "skipped"}


def test_finding_that_is_gone_is_absent(tmp_path: Path, baseline: Path) -> None:
    report = run(tmp_path, OLD.replace("domain: x", "formula: x, unknown: 1"), baseline)
    assert [one.rule for one in report.absent or ()] == ["PV-VAL-004"]
    results = json.loads(sarif.render(report))["runs"][0]["results"]
    assert sorted({one["baselineState"] for one in results}) == ["absent", "new", "unchanged"]


def test_what_was_not_looked_for_is_not_absent(tmp_path: Path, baseline: Path) -> None:
    report = run(tmp_path, OLD.replace("domain", "formula"), baseline, ignore=("PV-VAL-004",))
    assert report.absent == ()


def test_second_of_two_equal_findings_is_new(tmp_path: Path, baseline: Path) -> None:
    twice = "proof_obligations: [{formal: a}, {formal: b}]\n"
    path = tmp_path / "first"
    path.write_text(sarif.render(run(tmp_path, OLD + twice.replace(", {formal: b}", ""))))
    found = run(tmp_path, OLD + twice, path).open
    assert [one.rule.id for one in found] == ["PV-VAL-005"]


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"runs": 3}', '{"runs": [{"results": [3]}]}', '{"findings": [{}]}']
)
def test_baseline_that_is_none_is_a_mistake_in_the_call(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.sarif"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no report of lint; write one with"):
        read_baseline(path)


def test_missing_baseline_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file.*--format sarif"):
        read_baseline(tmp_path / "none.sarif")


def test_halves_of_characters_in_a_baseline_do_not_stop_the_report(tmp_path: Path) -> None:
    odd = {"message": "\ud800", "file": "\ud800\0", "rule": "PV-VAL-004", "fingerprint": "\ud800"}
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"findings": [odd | {"line": -1, "column": 0}]}))
    report = run(tmp_path, OLD, path)
    assert len(report.absent or ()) == 1
    for output in (sarif, json_output):
        assert output.render(report).encode()


def test_file_that_was_not_looked_at_has_nothing_absent(tmp_path: Path, baseline: Path) -> None:
    run(tmp_path, OLD)
    other = tmp_path / "other-v1.yaml"
    other.write_text(OLD)
    known = read_baseline(baseline)
    assert lint([tmp_path], only={other.resolve()}, baseline=known).absent == ()
    (tmp_path / "own-v1.yaml").unlink()
    gone = lint([tmp_path], only={other.resolve()}, baseline=known).absent or ()
    assert len(gone) == len(known)
