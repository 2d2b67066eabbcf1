"""What the benchmarks share: statements timed in one interleaved run, a table, a JSON file."""

from __future__ import annotations

import importlib
import json
import platform
import random
import statistics
import time
import timeit
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

import tracepact
from tracepact.core import native_core, selected_core, using_core
from tracepact.errors import ConfigError

T = TypeVar("T")

RESULTS = Path(__file__).parent / "results"
CORES = ("native", "python")
_MIN_ROUNDS, _MAX_ROUNDS = 11, 201
_MAX_CALLS = 1_000_000


class UnavailableError(Exception):
    """A contestant cannot take part; says why."""


@dataclass(frozen=True)
class Statement:
    """What is timed: the body of a `for` loop, and the names that it uses, as local variables.

    A statement and not a callable, since calling one costs more than some of what is timed here.
    """

    code: str
    names: Mapping[str, object] = field(default_factory=dict)
    core: str | None = None
    """Serves while it runs; None for the selected one."""

    def timer(self, clock: Callable[[], int], *, collect: bool) -> Callable[[int], float]:
        """Runs the loop so many times and yields what that took."""
        setup = "".join(f"{name} = given[{name!r}]\n" for name in self.names)
        if collect:
            setup += "import gc; gc.enable()"  # timeit turned it off
        timer = timeit.Timer(self.code, setup or "pass", clock, {"given": dict(self.names)})

        def timed(calls: int) -> float:
            with using_core(self.core) if self.core else nullcontext():
                return timer.timeit(calls)

        return timed


@dataclass(frozen=True)
class Samples:
    """One figure of every round."""

    rounds: list[float]

    @property
    def median(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile."""
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return low, high

    def per(self, count: float) -> Samples:
        """Each round divided by a count, or into another unit."""
        return Samples([each / count for each in self.rounds])

    def over(self, base: Samples) -> Samples:
        """What each round took more than that of another contestant."""
        return Samples([a - b for a, b in zip(self.rounds, base.rounds, strict=True)])

    def ratio(self, base: Samples) -> Samples:
        """The ratio to another contestant in each round."""
        return Samples([a / b for a, b in zip(self.rounds, base.rounds, strict=True)])


def interleaved(
    contestants: Mapping[str, Statement],
    *,
    seconds: float = 10.0,
    sample_ms: float = 3.0,
    clock: Callable[[], int] = time.perf_counter_ns,
    collect: bool = False,
) -> dict[str, Samples]:
    """Time contestants in one process, in a new random order every round.

    A fixed order would give whoever follows a heavy neighbour cold caches each time.

    Args:
        contestants: By name.
        seconds: How long all rounds take together; there are 11 to 201.
        sample_ms: How long a sample takes at least; it has at least one call.
        clock: `time.thread_time_ns` leaves out what other processes and threads take.
        collect: Whether the garbage collector is on, for what allocates much.

    Returns:
        Nanoseconds a call over an empty loop body.
    """
    timers = {name: each.timer(clock, collect=collect) for name, each in contestants.items()}
    empty = Statement("pass").timer(clock, collect=collect)
    calls = {name: _calibrated(timer, sample_ms * 1e6) for name, timer in timers.items()}
    empty_calls = _calibrated(empty, sample_ms * 1e6)
    round_s = sum(timers[name](calls[name]) for name in timers) / 1e9
    rounds = min(max(int(seconds / round_s), _MIN_ROUNDS), _MAX_ROUNDS)
    samples: dict[str, list[float]] = {name: [] for name in timers}
    order = list(timers)
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        loop_ns = empty(empty_calls) / empty_calls
        for name in order:
            samples[name].append(timers[name](calls[name]) / calls[name] - loop_ns)
    return {name: Samples(values) for name, values in samples.items()}


def _calibrated(timer: Callable[[int], float], enough_ns: float) -> int:
    """Calls that take long enough; warms up on the way."""
    calls = 1
    while calls < _MAX_CALLS and (elapsed_ns := timer(calls)) < enough_ns:
        growth = min(10.0, 1.2 * enough_ns / max(elapsed_ns, 1.0))
        calls = min(max(calls + 1, int(calls * growth)), _MAX_CALLS)
    return calls


def available(entrants: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """What the builders yield; those that are skipped are printed with the reason."""
    found: dict[str, T] = {}
    for name, build in entrants.items():
        try:
            found[name] = build()
        except UnavailableError as reason:
            print(f"skipped {name}: {reason}")
    return found


def optional(module: str, distribution: str | None = None) -> ModuleType:
    """A module that need not be installed.

    Raises:
        UnavailableError: It is not.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(f"{distribution or module} is not installed") from error


def on_core(core: str, build: Callable[[], T]) -> Callable[[], T]:
    """A builder whose layers and sites are made under one core."""

    def built() -> T:
        try:
            with using_core(core):
                return build()
        except ConfigError as error:
            raise UnavailableError(str(error)) from error

    return built


@dataclass(frozen=True)
class Claim:
    """A measured figure and its limit, at most unless `at_least`; `floor` is what C allows."""

    name: str
    measured: float
    limit: float
    unit: str = "ns"
    at_least: bool = False
    floor: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure keeps within its limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def print_claims(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """A line a claim; returns them for the JSON file."""
    table = Table(box=None)
    for heading in ("claim", "measured", "limit", "", "floor"):
        table.add_column(heading, justify=_justify(heading), no_wrap=True)
    rows = []
    for claim in claims:
        sign = "≥" if claim.at_least else "≤"
        table.add_row(
            claim.name,
            f"{_figure(claim.measured)} {claim.unit}",
            f"{sign} {claim.limit:g} {claim.unit}",
            "holds" if claim.holds else "[bold]does not hold[/]",
            "" if claim.floor is None else _figure(claim.floor),
        )
        rows.append({**asdict(claim), "holds": claim.holds})
    _print(table)
    return rows


def print_samples(
    question: str, samples: Mapping[str, Samples], *, baseline: str, unit: str = "ns"
) -> None:
    """A table with the ratio to one contestant."""
    title = f"{question} (ratio: to {baseline})"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("", f"median {unit}", "quartiles", "ratio", "its quartiles"):
        table.add_column(heading, justify=_justify(heading), no_wrap=True)
    for name, each in samples.items():
        low, high = each.quartiles
        ratio = each.ratio(samples[baseline])
        least, most = ratio.quartiles
        table.add_row(
            name,
            _figure(each.median),
            f"{_figure(low)}–{_figure(high)}",
            _figure(ratio.median),
            f"{_figure(least)}–{_figure(most)}",
        )
    _print(table)


def _print(table: Table) -> None:
    console = Console()
    console.width = max(console.width, 120)  # whole in a file, too
    console.print(table)


def _figure(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _justify(heading: str) -> Literal["left", "right"]:
    return "left" if heading in ("", "claim") else "right"


def as_json(samples: Mapping[str, Samples]) -> dict[str, Any]:
    """Medians and quartiles by contestant."""
    return {n: {"median": s.median, "quartiles": list(s.quartiles)} for n, s in samples.items()}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    choice, native = selected_core(), native_core()
    return {
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "numpy": np.__version__,
        "tracepact": tracepact.__version__,
        "core": choice.name,
        "core_reason": choice.reason,
        "clock": "perf_counter_ns" if native is None else native.clock,
        "processor": tracepact.HardwareCapability.detect().cpu_model,
    }


def write_json(name: str, data: Mapping[str, Any]) -> None:
    """Write `benchmarks/results/NAME.json` with the machine beside the figures."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **data}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print()
