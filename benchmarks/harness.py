"""What the benchmarks share: interleaved timing, a table, a JSON file."""

from __future__ import annotations

import json
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import tracepact
from tracepact.core import selected_core

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Nanoseconds a call over the rounds, the empty loop subtracted."""

    rounds_ns: list[float]

    @property
    def median_ns(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds_ns)

    @property
    def spread_ns(self) -> tuple[float, float]:
        """Lower and upper quartile."""
        low, _, high = statistics.quantiles(self.rounds_ns, n=4)
        return low, high


def interleaved(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int = 31, calls: int = 1000
) -> dict[str, Timing]:
    """Time contestants in one process, in a new random order every round.

    A fixed order would give whoever follows a heavy neighbour cold caches each time.

    Args:
        contestants: By name; each is called without arguments.
        rounds: Samples of each.
        calls: Calls a sample.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    shuffle = random.Random(0).shuffle
    for contestant in contestants.values():
        contestant()
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            samples[name].append(_loop_ns(contestants[name], calls) - _loop_ns(_nothing, calls))
    return {name: Timing(values) for name, values in samples.items()}


def _nothing() -> None:
    pass


def _loop_ns(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "tracepact": tracepact.__version__,
        "core": selected_core().name,
        "processor": tracepact.HardwareCapability.detect().cpu_model,
    }


def print_timings(question: str, timings: Mapping[str, Timing], baseline: str) -> None:
    """A table with the ratio to one contestant."""
    table = Table(title=question, title_justify="left", box=None)
    for heading in ("", "median ns", "quartiles", f"× {baseline}"):
        table.add_column(heading, justify="right" if heading else "left")
    base = timings[baseline].median_ns
    for name, timing in timings.items():
        low, high = timing.spread_ns
        table.add_row(
            name,
            f"{timing.median_ns:.0f}",
            f"{low:.0f}–{high:.0f}",
            f"{timing.median_ns / base:.2f}",
        )
    Console().print(table)


def write_json(name: str, data: Mapping[str, Any]) -> None:
    """Write `benchmarks/results/NAME.json` with the machine beside the figures."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **data}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
