"""For programs: the whole report as one JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict

from tracepact.lint.outputs._base import relative
from tracepact.lint.run import Report, all_rules


def render(report: Report) -> str:
    """Findings (suppressed ones marked), gates and counts."""
    gate_of = {rule.id: name for name, rules in all_rules().items() for rule in rules}
    findings = [
        {
            "rule": finding.rule.id,
            "name": finding.rule.name,
            "gate": gate_of[finding.rule.id],
            "severity": finding.severity,
            "message": finding.message,
            "hint": finding.hint,
            "file": relative(finding.location.file),
            "line": finding.location.line,
            "column": finding.location.column or 1,
            "contract": finding.contract,
            "equation": finding.equation,
            "suppressed": finding.suppressed,
        }
        for finding in report.findings
    ]
    document = {
        "files": report.linted,
        "counts": dict(report.counts),
        "gates": [asdict(gate) for gate in report.gates],
        "findings": findings,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
