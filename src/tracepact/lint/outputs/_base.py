"""What the formats share."""

from __future__ import annotations

from tracepact.lint.run import Report


def summary(report: Report) -> str:
    """One line: files, findings by severity."""
    counts = report.counts
    said = [f"{n} {word}{'s' * (n != 1 and word != 'info')}" for word, n in counts.items()]
    known = sum(one.known and not one.suppressed for one in report.findings)
    hidden = {
        "suppressed": sum(one.suppressed for one in report.findings),
        "known": known,
        "gone since the baseline": len(report.absent or ()),
    }
    said += [f"{n} {word}" for word, n in hidden.items() if n]
    return f"{report.linted} file{'s' * (report.linted != 1)}: {', '.join(said)}"


def gates_line(report: Report) -> str:
    """One line: what came of each gate."""
    said = []
    for gate in report.gates:
        said.append(f"{gate.name} {gate.status}" + (f" ({gate.reason})" if gate.reason else ""))
    return "gates: " + ", ".join(said)
