"""Figures over all forward passes: what a run shows for each trace."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from tracepact.model import activations, attention, kv_cache, logits, quantisation
from tracepact.model.events import POINTS, LogFigures
from tracepact.model.forward import Figure, ForwardTraces
from tracepact.model.logits import LogitRecord

_DECIDED_EVERY: Final = 256
"""Passes of which one is asked for its deciding layer, which takes a product with hidden states."""

_AT_ONCE: Final = 32
"""Passes that are added up together: code that runs once a token is cold, and so it is slow."""

_Added: TypeAlias = tuple[LogFigures, list[Figure], list[Figure], Mapping[str, int]]
"""What a pass has to add: of its log, of its records, of what holds, with conditions of that."""


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
        count_pass: Takes what was tested in one pass for bricks, MLT-01 and MLT-02; any thread may
            call it at any time.
    """

    def __init__(self) -> None:
        self.forwards = 0
        self.violations: Counter[str | None] = Counter()
        self.attention_note = ""
        self._checks: Counter[str | None] = Counter()
        self._records: Counter[str] = Counter()
        self._worst = {trace: Worst() for trace, *_ in _TRACES}
        self._residual_ratio = Worst()
        self._deciding_layers: Counter[int] = Counter()
        self._counted: deque[tuple[int, int, int]] = deque()
        self._added: list[_Added] = []
        self._lock = threading.Lock()
        self.count_pass: Callable[[tuple[int, int, int]], None] = self._counted.append

    @property
    def checks(self) -> Counter[str | None]:
        """Conditions that were tested, by trace; None is bricks."""
        self._settle()
        return self._checks

    @property
    def records(self) -> Counter[str]:
        """How many were taken, by trace."""
        self._settle()
        return self._records

    @property
    def residual_ratio(self) -> Worst:
        """The largest share of a layer's input in what it passes on."""
        self._settle()
        return self._residual_ratio

    def count(self, trace: str | None, conditions: int) -> None:
        """Count conditions that were tested for a trace; None is bricks."""
        self._checks[trace] += conditions

    def add(self, traces: ForwardTraces) -> None:
        """Take in one forward pass."""
        self.forwards += 1
        held, figures = traces.held, traces.figures()
        if held is None:
            self._added.append((traces.log.worst(), figures, [], _NO_TESTS))
        else:
            self._added.append((traces.log.worst(), figures, held.figures(), held.tests))
        for violation in traces.violations:
            self.violations[violation.trace] += violation.verdict == "failed"
        if self.forwards % _DECIDED_EVERY == 1 and traces.logits is not None:
            self._add_deciding_layer(traces.logits)
        if len(self._added) >= _AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        """Add up what was put off."""
        with self._lock:
            while self._counted:
                for trace, conditions in zip(_COUNTED, self._counted.popleft(), strict=True):
                    self._checks[trace] += conditions
            added, self._added = self._added, []
            for log, recorded, held, tests in added:
                self._add_log(log)
                for trace, value, layer, where in recorded + held:
                    self._records[trace] += 1
                    self._worst[trace].offer(value, layer, where)
                for trace, *_ in held:  # what is recorded has been counted
                    self._checks[trace] += tests[trace]

    def _add_deciding_layer(self, record: LogitRecord) -> None:
        deciding = record.deciding_layer
        if deciding is not None:
            self._deciding_layers[deciding] += 1

    def _add_log(self, log: LogFigures) -> None:
        points, magnitude, rows, error, ratio = log
        if points:
            self._records[activations.TRACE] += points
            value, layer, kind = magnitude
            self._worst[activations.TRACE].offer(value, _layer(layer), POINTS[kind])
            value, layer, _ = ratio
            self._residual_ratio.offer(value, _layer(layer))
        if rows:
            self._records[attention.TRACE] += rows
            value, layer, _ = error
            self._worst[attention.TRACE].offer(value, _layer(layer), "AttentionSoftmax")

    def rows(self) -> list[TraceRow]:
        """The five traces, in order."""
        self._settle()
        return [
            TraceRow(
                trace=trace,
                title=title,
                contract="/".join(equation),
                records=self._records[trace],
                checks=self._checks[trace],
                violations=self.violations[trace],
                figure=figure,
                worst=self._worst[trace].value,
                layer=self._worst[trace].layer,
                where=self._worst[trace].where,
                note=self._note(trace),
            )
            for trace, title, equation, figure in _TRACES
        ]

    def _note(self, trace: str) -> str:
        if trace == activations.TRACE and self._residual_ratio.value > 0:
            ratio, layer = self._residual_ratio.value, self._residual_ratio.layer
            return f"residual ratio up to {ratio:.3g} (layer {layer})"
        if trace == attention.TRACE:
            return self.attention_note
        if trace == logits.TRACE and self._deciding_layers:
            layer, _ = self._deciding_layers.most_common(1)[0]
            return f"mostly decided at layer {layer}"
        return ""


def _layer(number: int) -> int | None:
    return number if number >= 0 else None


_NO_TESTS: Final[Mapping[str, int]] = MappingProxyType({})

_COUNTED: Final = (None, activations.TRACE, attention.TRACE)
"""What native probes count, in their order; None is bricks."""

_TRACES = (
    (activations.TRACE, "activations", activations.EQUATION, "largest |value|"),
    (attention.TRACE, "attention", attention.EQUATION, "row-sum error"),
    (logits.TRACE, "logits", logits.EQUATION, "|logit| / bound"),
    (quantisation.TRACE, "quantisation", quantisation.EQUATION, "relative error"),
    (kv_cache.TRACE, "KV cache", kv_cache.EQUATION, "utilisation"),
)
