"""Figures over all forward passes: what a run shows for each trace."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tracepact.model import activations, attention, kv_cache, logits, quantisation
from tracepact.model.events import POINTS, Log
from tracepact.model.forward import ForwardTraces
from tracepact.model.logits import LogitRecord

_DECIDED_EVERY: Final = 64
"""Passes of which one is asked for its deciding layer, which takes a product with hidden states."""


@dataclass(slots=True)
class Worst:
    """The worst value of a figure so far and where it was; -Inf before the first."""

    value: float = -math.inf
    layer: int | None = None
    where: str = ""

    def offer(self, value: float, layer: int | None, where: str = "") -> None:
        """Keep this value if it is worse; NaN is worst of all."""
        if value > self.value or (math.isnan(value) and not math.isnan(self.value)):
            self.value, self.layer, self.where = value, layer, where


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One trace in the run's table.

    Attributes:
        trace: `MLT-01` … `MLT-05`.
        title: What it follows.
        contract: Contract and equation that it is checked against.
        records: How many were taken.
        checks: How many conditions were tested.
        violations: How many did not hold.
        figure: What `worst` is, with its unit.
        worst: Worst value; -Inf if nothing was recorded.
        layer: Where that was.
        where: Point, tensor or brick of it.
        note: What else the trace says of the whole run.
    """

    trace: str
    title: str
    contract: str
    records: int
    checks: int
    violations: int
    figure: str
    worst: float
    layer: int | None
    where: str
    note: str


class RunSummary:
    """Adds up the traces of forward passes; memory does not grow with their number.

    Attributes:
        attention_note: Which rows MLT-02 looks at, where that is not all of them.
    """

    def __init__(self) -> None:
        self.forwards = 0
        self.checks: Counter[str | None] = Counter()
        self.violations: Counter[str | None] = Counter()
        self.records: Counter[str] = Counter()
        self.worst = {trace: Worst() for trace, *_ in _TRACES}
        self.residual_ratio = Worst()
        self.deciding_layers: Counter[int] = Counter()
        self.attention_note = ""

    def count(self, trace: str | None, conditions: int) -> None:
        """Count conditions that were tested for a trace; None is bricks."""
        self.checks[trace] += conditions

    def count_pass(self, bricks: int, activation_checks: int, attention_checks: int) -> None:
        """Count what was tested in one pass for bricks, MLT-01 and MLT-02."""
        checks = self.checks
        checks[None] += bricks
        checks[activations.TRACE] += activation_checks
        checks[attention.TRACE] += attention_checks

    def add(self, traces: ForwardTraces) -> None:
        """Take in one forward pass."""
        self.forwards += 1
        for violation in traces.violations:
            self.violations[violation.trace] += violation.verdict == "failed"
        self._add_log(traces.log)
        for figure in traces.figures():
            self._add_figure(*figure)
        if traces.held is not None:
            for figure in traces.held.figures():
                self._add_figure(*figure)
                self.checks[figure[0]] += traces.held.tests[figure[0]]
        if self.forwards % _DECIDED_EVERY == 1 and traces.logits is not None:
            self._add_deciding_layer(traces.logits)

    def _add_figure(self, trace: str, value: float, layer: int | None, where: str) -> None:
        self.records[trace] += 1
        self.worst[trace].offer(value, layer, where)

    def _add_deciding_layer(self, record: LogitRecord) -> None:
        deciding = record.deciding_layer
        if deciding is not None:
            self.deciding_layers[deciding] += 1

    def _add_log(self, log: Log) -> None:
        points, magnitude, rows, error, ratio = log.worst()
        if points:
            self.records[activations.TRACE] += points
            value, layer, kind = magnitude
            self.worst[activations.TRACE].offer(value, _layer(layer), POINTS[kind])
            value, layer, _ = ratio
            self.residual_ratio.offer(value, _layer(layer))
        if rows:
            self.records[attention.TRACE] += rows
            value, layer, _ = error
            self.worst[attention.TRACE].offer(value, _layer(layer), "AttentionSoftmax")

    def rows(self) -> list[TraceRow]:
        """The five traces, in order."""
        return [
            TraceRow(
                trace=trace,
                title=title,
                contract="/".join(equation),
                records=self.records[trace],
                checks=self.checks[trace],
                violations=self.violations[trace],
                figure=figure,
                worst=self.worst[trace].value,
                layer=self.worst[trace].layer,
                where=self.worst[trace].where,
                note=self._note(trace),
            )
            for trace, title, equation, figure in _TRACES
        ]

    def _note(self, trace: str) -> str:
        if trace == activations.TRACE and self.residual_ratio.value > 0:
            ratio, layer = self.residual_ratio.value, self.residual_ratio.layer
            return f"residual ratio up to {ratio:.3g} (layer {layer})"
        if trace == attention.TRACE:
            return self.attention_note
        if trace == logits.TRACE and self.deciding_layers:
            layer, _ = self.deciding_layers.most_common(1)[0]
            return f"mostly decided at layer {layer}"
        return ""


def _layer(number: int) -> int | None:
    return number if number >= 0 else None


_TRACES = (
    (activations.TRACE, "activations", activations.EQUATION, "largest |value|"),
    (attention.TRACE, "attention", attention.EQUATION, "row-sum error"),
    (logits.TRACE, "logits", logits.EQUATION, "|logit| / bound"),
    (quantisation.TRACE, "quantisation", quantisation.EQUATION, "relative error"),
    (kv_cache.TRACE, "KV cache", kv_cache.EQUATION, "utilisation"),
)
