"""For comments on changes: a table of findings and one of gates."""

from __future__ import annotations

import re

from tracepact.lint.outputs._base import summary
from tracepact.lint.run import Report
from tracepact.lint.source import printable, relative


def render(report: Report) -> str:
    """GitHub's Markdown; texts of contracts cannot add markup."""
    lines = [f"# tracepact {report.command}", "", summary(report), ""]
    if report.open:
        lines += ["| place | rule | severity | finding | next |", "| --- | --- | --- | --- | --- |"]
        for finding in report.open:
            place = finding.location
            cells = (
                f"{relative(place.file)}:{place.line}:{place.column or 1}",
                f"{finding.rule.id} {finding.rule.name}",
                finding.severity,
                finding.message,
                finding.hint,
            )
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    lines += [f"| {report.stage} | result |", "| --- | --- |"]
    for gate in report.gates:
        said = f"{gate.status}: {gate.reason}" if gate.reason else gate.status
        lines.append(f"| {gate.order} {_cell(gate.name)} | {_cell(said)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|&#!~@])", r"\\\1", printable(text))
