"""For people: each finding with the line of the contract that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import typer

from tracepact.lint.outputs._base import gates_line, summary
from tracepact.lint.rule import Finding
from tracepact.lint.run import Report
from tracepact.lint.source import printable, relative

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "blue"}
_WIDTH: Final = 100
"""Of what is shown of a line."""


def render(report: Report) -> str:
    """The report as text with colours, which `typer.echo` leaves out where nobody sees them."""
    return "\n\n".join([*blocks(report), f"{summary(report)}\n{gates_line(report)}\n"])


def blocks(report: Report) -> list[str]:
    """Each open finding, with its line."""
    return ["\n".join(_block(finding, report)) for finding in report.open]


def _block(finding: Finding, report: Report) -> Iterator[str]:
    place = finding.location
    colour = _COLOURS[finding.severity]
    where = printable(f"{relative(place.file)}:{place.line}:{place.column or 1}")
    said = typer.style(f"{finding.severity} {finding.rule.id}", fg=colour, bold=True)
    yield f"{typer.style(where, bold=True)}: {said} {printable(finding.message)}"
    file = report.files.get(place.file)
    lines = file.lines if file is not None else []
    edge = " " * len(str(place.line))
    if 0 < place.line <= len(lines) and lines[place.line - 1].strip():
        column = (place.column or 1) - 1
        line = lines[place.line - 1]
        first = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
        shown = printable(line[first : first + _WIDTH])
        width = _length(line[column:]) if first + _WIDTH > column else 1
        width = max(1, min(width, len(shown) - (column - first)))
        yield f"{edge} |"
        yield f"{place.line} | {shown}"
        yield f"{edge} | {' ' * (column - first)}{typer.style('^' * width, fg=colour)}"
    if finding.hint:
        yield f"{edge} = {typer.style('help', bold=True)}: {printable(finding.hint)}"


def _length(rest: str) -> int:
    """Characters of the value that begins there: up to a comment or the end of the line."""
    return len(rest.split(" #", 1)[0].rstrip())
