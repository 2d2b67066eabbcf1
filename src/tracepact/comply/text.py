"""The report for people: findings as lint shows them, then a line for each check."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Final, get_args

import typer

from tracepact.comply.check import Status
from tracepact.comply.run import all_checks
from tracepact.lint.outputs.text import blocks
from tracepact.lint.run import GateResult, Report
from tracepact.lint.source import printable

_COLOURS: Final = {"passed": "green", "warned": "yellow", "failed": "red", "skipped": "blue"}
_MOST_COLUMNS: Final = 120


def render(report: Report) -> str:
    """The report as text with colours, which `typer.echo` leaves out where nobody sees them."""
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    lines = [line for result in report.gates for line in _lines(result, columns)]
    counts = Counter(result.status for result in report.gates)
    total = ", ".join(f"{counts[status]} {status}" for status in get_args(Status))
    table = "\n".join([*lines, f"{len(report.gates)} checks: {total}\n"])
    return "\n\n".join([*blocks(report), table])


def _lines(result: GateResult, columns: int) -> Iterator[str]:
    status = typer.style(f"{result.status:<7}", fg=_COLOURS[result.status], bold=True)
    id_ = f"CB-{result.order}"
    said = printable(f"{all_checks()[id_].title}: {result.reason}")
    start = f"{id_} {result.status:<7} "
    first, *rest = textwrap.wrap(said, max(20, columns - len(start))) or [""]
    yield f"{id_} {status} {first}"
    for line in rest:
        yield " " * len(start) + line
