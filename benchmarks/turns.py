"""Settings of one engine that decode in turns, and what each adds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rich.progress import track

from benchmarks.bench_decode_overhead import confidence
from benchmarks.harness import Samples, as_json, print_samples

FEWEST = 4
"""Turns that are taken in any case."""


class Decoding(Protocol):
    """One setting and its own generation."""

    def turn(self) -> float:
        """Decode a few tokens; milliseconds a token."""

    def prompt(self) -> float:
        """Run a prompt; milliseconds."""

    def is_as(self, other: Any, /) -> bool:
        """Whether another setting has computed the same."""


def measured(
    decodings: Mapping[str, Decoding],
    *,
    baseline: str,
    turns: int,
    seconds: float,
    what: str,
    prompt: int,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Time tokens and prompts of each setting, and print them.

    Args:
        decodings: By name.
        baseline: Name of the one that others are compared with.
        turns: How many each takes at most.
        seconds: After which no more are taken.
        what: Engine and model.
        prompt: Tokens of a prompt.

    Returns:
        Figures for JSON, and how many times as long a token takes with each setting.
    """
    for each in decodings.values():
        each.turn()  # what is made at the first passes
    decoded = _take(decodings, lambda d: d.turn(), turns, seconds, "decoding")
    prompts = _take(decodings, lambda d: d.prompt(), 5, seconds, "prompts")
    found: dict[str, Any] = {}
    for unit, samples in (("token", decoded), (f"prompt of {prompt}", prompts)):
        title = f"What does tracing add to a {unit}? {what}"
        print_samples(title, samples, baseline=baseline, unit="ms")
        ratios = {name: each.ratio(samples[baseline]) for name, each in samples.items()}
        intervals = {name: confidence(each) for name, each in ratios.items()}
        for name, (low, high) in intervals.items():
            print(f"  {name:38} time × {ratios[name].median:.3f} (95 %: {low:.3f}–{high:.3f})")
        found[unit] = {
            "ms": as_json(samples), "ratio": as_json(ratios), "ratio_95_percent": intervals
        }  # fmt: skip
    added = {name: each.ratio(decoded[baseline]).median for name, each in decoded.items()}
    return found, added


def _take(
    decodings: Mapping[str, Decoding],
    run: Callable[[Decoding], float],
    count: int,
    seconds: float,
    what: str,
) -> dict[str, Samples]:
    """Times, turn by turn in a new random order; all must compute the same."""
    times: dict[str, list[float]] = {name: [] for name in decodings}
    order, shuffle = list(decodings), random.Random(0).shuffle
    started = time.perf_counter()
    for turn in track(range(count), what):
        if time.perf_counter() - started > seconds and turn >= FEWEST:
            break
        shuffle(order)
        for name in order:
            times[name].append(run(decodings[name]))
            assert decodings[name].is_as(decodings[order[0]]), f"{name} changed what is computed"
    return {name: Samples(each) for name, each in times.items()}
