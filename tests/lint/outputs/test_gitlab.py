"""GitLab's code quality report: what its importer needs, of open findings only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracepact.lint.outputs import gitlab
from tracepact.lint.run import lint

TEXT = "equations: {e: {domain: x}}  # tracepact: ignore[PV-VAL-004]\nunknown: 3\n"


def test_issues_have_what_the_importer_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own-v1.yaml").write_text(TEXT)
    report = lint([Path("own-v1.yaml")])
    issues = json.loads(gitlab.render(report))
    assert len(issues) == len(report.open) < len(report.findings)
    for issue in issues:
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["path"] == "own-v1.yaml"
        assert issue["location"]["lines"]["begin"] >= 1
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert "PV-VAL-004" not in {issue["check_name"] for issue in issues}
