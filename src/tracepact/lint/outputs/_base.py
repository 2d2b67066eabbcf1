"""What the formats share."""

from __future__ import annotations

import os
from pathlib import Path

from tracepact.lint.run import Report


def printable(text: str) -> str:
    """The text without characters that would move a cursor or start a line."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in text)


def relative(file: str) -> str:
    """A path as seen from the current folder, with forward slashes; absolute if not below it."""
    path = Path(os.path.abspath(file))
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def summary(report: Report) -> str:
    """One line: files, findings by severity."""
    counts = report.counts
    said = [f"{n} {word}{'s' * (n != 1 and word != 'info')}" for word, n in counts.items()]
    hidden = len(report.findings) - len(report.open)
    if hidden:
        said.append(f"{hidden} suppressed")
    return f"{report.linted} file{'s' * (report.linted != 1)}: {', '.join(said)}"


def gates_line(report: Report) -> str:
    """One line: what came of each gate."""
    said = []
    for gate in report.gates:
        said.append(f"{gate.name} {gate.status}" + (f" ({gate.reason})" if gate.reason else ""))
    return "gates: " + ", ".join(said)
