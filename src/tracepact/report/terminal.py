"""A run's report on a terminal, readable at 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracepact.model.summary import TraceRow
from tracepact.report.run_report import RunReport
from tracepact.violation import Violation

_MAX_FOLLOWING: Final = 8
_LEFT: Final = frozenset({"brick", "trace", "tensor", "type", "contract", "worst"})


def print_run(report: RunReport, console: Console) -> None:
    """Print speed, bricks, traces and violations."""
    console.print(_speed(report))
    console.print(_bricks(report))
    console.print(_traces(report))
    if report.compared:
        console.print(_compared(report))
    if report.fault_planted:
        console.print(Text.assemble(("\nplanted  ", "bold yellow"), report.fault_planted))
    _print_violations(report, console)
    console.print(_verdict(report))


def _speed(report: RunReport) -> Text:
    share = report.gb_per_s / report.bandwidth_gb_per_s
    return Text.assemble(
        ("\n\n" + report.model, "bold"),
        f"\n{report.architecture}, {report.weight_bytes / 1e6:.0f} MB of weights loaded in "
        f"{report.load_s:.1f} s, engine {report.engine}\n"
        f"{len(report.token_ids)} tokens (stopped: {report.stop_reason}) at "
        f"{report.tokens_per_s:.1f} tokens/s; tracing took {report.overhead_ratio:.0%} of the "
        f"model's own time\n"
        f"decode moved {report.gb_per_s:.1f} GB/s, {share:.0%} of the "
        f"{report.bandwidth_gb_per_s:.1f} GB/s that this machine was measured to reach\n",
    )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _LEFT else "right")
    return table


def _bricks(report: RunReport) -> Table:
    columns = ("brick", "calls", "µs/token", "share", "median µs", "budget µs", "used")
    table = _table(f"Bricks ({report.phase.phase})", *columns)
    for brick in report.bricks:
        table.add_row(
            brick.brick,
            str(brick.calls),
            _number(brick.us_per_token),
            _percent(brick.share, 1),
            _number(brick.median_us),
            _number(brick.budget_us),
            _percent(brick.utilization),
        )
    table.caption = f"bricks cover {_percent(report.phase.coverage, 1)} of wall time"
    if not report.is_valid_profile:
        table.caption += ": too little for a valid profile"
    table.caption_justify = "left"
    return table


def _traces(report: RunReport) -> Table:
    table = _table("\nTraces", "trace", "records", "checks", "violations", "worst")
    for row in report.traces:
        table.add_row(
            f"{row.trace} {row.title}",
            str(row.records),
            str(row.checks),
            Text(str(row.violations), style="bold red" if row.violations else ""),
            _worst(row),
        )
    return table


def _worst(row: TraceRow) -> str:
    if row.worst == -math.inf:
        return "nothing recorded"
    place = [row.where] if row.where else []
    place += [f"layer {row.layer}"] if row.layer is not None else []
    text = f"{row.figure} {row.worst:.3g}" + (f" ({', '.join(place)})" if place else "")
    return f"{text}; {row.note}" if row.note else text


def _compared(report: RunReport) -> Table:
    columns = ("tensor", "type", "MSE", "max error", "cosine", "SNR dB")
    table = _table("\nTensors against the reference, worst first", *columns)
    for record in sorted(report.compared, key=lambda record: record.error.snr_db):
        error = record.error
        table.add_row(
            record.tensor,
            record.quant_type,
            f"{error.mse:.3g}",
            f"{error.max_abs_error:.3g}",
            f"{error.cosine:.6f}",
            f"{error.snr_db:.1f}",
        )
    return table


def _print_violations(report: RunReport, console: Console) -> None:
    """Where faults began in full, what followed from them as a count."""
    groups: list[tuple[str, Sequence[Violation]]] = [
        ("first violation", report.numeric_violations),
        ("first timing violation", report.timing_violations),
        ("not checked", report.unchecked),
    ]
    for title, violations in groups:
        if violations:
            console.print(_in_full(title, violations[0]))
            console.print(Text(f"  {violations[0].source}", "dim"), soft_wrap=True)
            _print_following(violations[1:], console)
    if report.suppressed:
        console.print(f"  ({report.suppressed} repeats were only counted)")
    for place, count in report.faults.items():
        console.print(Text(f"\nfault inside tracepact, {count} times: {place}", "bold yellow"))


def _in_full(title: str, violation: Violation) -> Text:
    return Text.assemble(
        (f"\n{title}  ", "bold red"),
        (violation.place or "whole run", "bold"),
        f"\n  {violation.contract}/{violation.equation}: {violation.obligation}"
        f"\n  {violation.explanation}",
    )


def _print_following(violations: Sequence[Violation], console: Console) -> None:
    roots = [violation for violation in violations if violation.role == "root"]
    places = groupby(roots, key=lambda v: (v.place or "whole run", f"{v.contract}/{v.equation}"))
    lines = [f"  then {place}: {equation}" for (place, equation), _ in places]
    for line in lines[:_MAX_FOLLOWING]:
        console.print(Text(line, style="dim"), soft_wrap=True)
    if len(lines) > _MAX_FOLLOWING:
        console.print(Text(f"  … {len(roots)} in all after the first", style="dim"))
    followed = [violation for violation in violations if violation.role == "consequence"]
    if followed:
        console.print(Text(f"  and {_consequences(followed)}", style="dim"))


def _consequences(followed: Sequence[Violation]) -> str:
    """`252 consequences in 4 layers and 24 passes`."""
    layers = len({violation.layer for violation in followed} - {None})
    passes = len({violation.step for violation in followed})
    text = f"{len(followed)} consequence{'s' * (len(followed) > 1)}"
    text += f" in {layers} layer{'s' * (layers > 1)}" if layers else ""
    return f"{text}, {passes} pass{'es' * (passes > 1)}"


def _verdict(report: RunReport) -> Text:
    numeric, timing = len(report.numeric_violations), len(report.timing_violations)
    return Text.assemble(
        f"\n{report.checks} checks: ",
        (
            f"{numeric} numeric violations, {timing} timing violations",
            "bold red" if numeric or timing else "bold green",
        ),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}%}"
