"""For GitLab: a code quality report, which merge requests compare with that of their target."""

from __future__ import annotations

import json
from typing import Final

from tracepact.lint.baseline import fingerprints
from tracepact.lint.rule import Severity
from tracepact.lint.run import Report
from tracepact.lint.source import relative

_SEVERITIES: Final[dict[Severity, str]] = {"error": "major", "warning": "minor", "info": "info"}


def render(report: Report) -> str:
    """A list of open findings."""
    pairs = zip(report.findings, fingerprints(report.findings), strict=True)
    issues = [
        {
            "description": "; ".join(filter(None, (finding.message, finding.hint))),
            "check_name": finding.rule.id,
            "fingerprint": mark,
            "severity": _SEVERITIES[finding.severity],
            "location": {
                "path": relative(finding.location.file),
                "lines": {"begin": finding.location.line},
            },
        }
        for finding, mark in pairs
        if finding.open
    ]
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"
