"""What a profiler found, in figures for people: every brick that ran, no constant among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracepact.profiling.profiler import BrickKey, BrickProfiler, Phase
from tracepact.profiling.roofline import Roofline
from tracepact.profiling.samples import CallSamples
from tracepact.types import BrickCategory, BrickId, brick_category

_LM_HEAD: Final[BrickKey] = (None, BrickId.LmHead)


@dataclass(frozen=True, slots=True)
class BrickProfile:
    """Figures of one brick in one phase.

    Attributes:
        brick: its name.
        layer: the model's layer; None for a brick outside layers, or for all layers together.
        category: the group that it belongs to.
        calls: how often it ran.
        total_us: time from start to stop, nested bricks included, over all calls.
        mean_us, median_us, p95_us: of one call; median and percentile over the last calls.
        share: own time, without nested bricks, over the wall time of the passes; None if no pass
            was timed. Shares of all bricks add up to the coverage.
        us_per_token: total time over *decoded tokens* (calls of LmHead), never over calls; None
            in prefill or where no LmHead ran.
        bytes_moved: over all calls; 0 if no cost is known.
        gb_per_sec: bytes moved over total time.
        budget_us: what the roofline allows a call; None if no cost is known.
        utilization: median over budget; 1.0 is at budget.
    """

    brick: str
    layer: int | None
    category: BrickCategory
    calls: int
    total_us: float
    mean_us: float
    median_us: float
    p95_us: float
    share: float | None
    us_per_token: float | None
    bytes_moved: float
    gb_per_sec: float
    budget_us: float | None
    utilization: float | None


@dataclass(frozen=True, slots=True)
class PhaseProfile:
    """Figures of all passes of one phase.

    Attributes:
        phase: decode or prefill.
        passes: forward passes.
        wall_us: wall time of all passes together.
        coverage: time inside bricks, none counted twice, over wall time; None if no pass was timed.
        lm_head_calls: calls of LmHead; in decode, the tokens that were decoded.
        bricks: one entry a brick, all layers together, the longest own time first.
        by_layer: one entry a layer and brick, in the order in which they first ran.
        category_us: own time by category.
    """

    phase: Phase
    passes: int
    wall_us: float
    coverage: float | None
    lm_head_calls: int
    bricks: tuple[BrickProfile, ...]
    by_layer: tuple[BrickProfile, ...]
    category_us: Mapping[BrickCategory, float]


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """A profile; decode and prefill are kept apart, because their figures cannot be compared."""

    decode: PhaseProfile
    prefill: PhaseProfile


def profile_report(profiler: BrickProfiler, roofline: Roofline | None = None) -> ProfileReport:
    """Sum a profiler up.

    Args:
        profiler: with no pass under way.
        roofline: gives the budgets; without it there are none.
    """
    return ProfileReport(
        decode=_phase_profile(profiler, Phase.DECODE, roofline),
        prefill=_phase_profile(profiler, Phase.PREFILL, roofline),
    )


def _phase_profile(
    profiler: BrickProfiler, phase: Phase, roofline: Roofline | None
) -> PhaseProfile:
    passes = profiler.passes[phase]
    by_layer = profiler.samples[phase]
    by_brick: defaultdict[BrickKey, CallSamples] = defaultdict(CallSamples)
    category_us = dict.fromkeys(BrickCategory, 0.0)
    for (_, brick), samples in by_layer.items():
        by_brick[None, brick].merge(samples)
        category_us[brick_category(brick)] += samples.own_ns / 1e3
    lm_head_calls = by_brick[_LM_HEAD].calls if _LM_HEAD in by_brick else 0

    def profile(key: BrickKey, samples: CallSamples) -> BrickProfile:
        tokens = lm_head_calls if phase is Phase.DECODE else 0
        return _brick_profile(key, samples, passes.wall_ns, tokens, roofline)

    longest_first = sorted(by_brick.items(), key=lambda item: -item[1].own_ns)
    covered_ns = sum(samples.covered_ns for samples in by_layer.values())
    return PhaseProfile(
        phase=phase,
        passes=passes.count,
        wall_us=passes.wall_ns / 1e3,
        coverage=covered_ns / passes.wall_ns if passes.wall_ns else None,
        lm_head_calls=lm_head_calls,
        bricks=tuple(profile(key, samples) for key, samples in longest_first),
        by_layer=tuple(profile(key, samples) for key, samples in by_layer.items()),
        category_us=category_us,
    )


def _brick_profile(
    key: BrickKey, samples: CallSamples, wall_ns: int, tokens: int, roofline: Roofline | None
) -> BrickProfile:
    layer, brick = key
    times_us = samples.recent_us()
    median_us = float(np.median(times_us))
    cost = samples.mean_cost()
    budget_us = roofline.brick_budget_us(cost) if roofline and cost else None
    return BrickProfile(
        brick=brick,
        layer=layer,
        category=brick_category(brick),
        calls=samples.calls,
        total_us=samples.total_ns / 1e3,
        mean_us=samples.total_ns / 1e3 / samples.calls,
        median_us=median_us,
        p95_us=float(np.percentile(times_us, 95)),
        share=samples.covered_ns / wall_ns if wall_ns else None,
        us_per_token=samples.total_ns / 1e3 / tokens if tokens else None,
        bytes_moved=samples.bytes_moved,
        gb_per_sec=samples.bytes_moved / samples.total_ns if samples.total_ns else 0.0,
        budget_us=budget_us,
        utilization=median_us / budget_us if budget_us else None,
    )
