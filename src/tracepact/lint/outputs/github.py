"""For GitHub Actions: workflow commands that become annotations."""

from __future__ import annotations

from typing import Final

from tracepact.lint.rule import Severity
from tracepact.lint.run import Report
from tracepact.lint.source import relative

_COMMANDS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """One line a finding."""
    lines = []
    for finding in report.open:
        place = finding.location
        properties = {
            "file": relative(place.file),
            "line": str(place.line),
            "col": str(place.column or 1),
            "title": f"{finding.rule.id} {finding.rule.name}",
        }
        listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        text = f"{finding.message}; {finding.hint}" if finding.hint else finding.message
        lines.append(f"::{_COMMANDS[finding.severity]} {listed}::{_data(text)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
