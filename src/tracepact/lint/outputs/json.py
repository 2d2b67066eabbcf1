"""For programs: the whole report as one JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict

from tracepact.lint.baseline import fingerprints
from tracepact.lint.run import Report
from tracepact.lint.source import relative


def render(report: Report) -> str:
    """Findings (suppressed ones marked), gates and counts."""
    gate_of = {rule.id: name for name, rules in report.rules.items() for rule in rules}
    findings = [
        {
            "rule": finding.rule.id,
            "name": finding.rule.name,
            report.stage: gate_of[finding.rule.id],
            "severity": finding.severity,
            "message": finding.message,
            "hint": finding.hint,
            "file": relative(finding.location.file),
            "line": finding.location.line,
            "column": finding.location.column or 1,
            "contract": finding.contract,
            "equation": finding.equation,
            "suppressed": finding.suppressed,
            "known": finding.known,
            "fingerprint": mark,
        }
        for finding, mark in zip(report.findings, fingerprints(report.findings), strict=True)
    ]
    document = {
        "files": report.linted,
        "counts": dict(report.counts),
        f"{report.stage}s": [asdict(gate) for gate in report.gates],
        "findings": findings,
        "absent": [asdict(one) for one in report.absent or ()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
