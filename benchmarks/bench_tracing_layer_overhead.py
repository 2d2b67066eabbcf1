"""FALSIFY-T3-004: what does a span cost, a check, a decorated call, the start and stop of a brick?

Scalar fields and one interval condition, so that the layer is measured and not the tensor. Beside
both cores: what the same form costs at least in C, and what other libraries take.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tracepact
from benchmarks import rivals
from benchmarks.harness import (
    CORES,
    Claim,
    Samples,
    Statement,
    as_json,
    available,
    interleaved,
    on_core,
    print_claims,
    print_samples,
    write_json,
)  # fmt: skip
from benchmarks.rivals import CHECK, SPAN, Contestant, call, counting, identity, least
from tracepact.contracts import ContractRegistry
from tracepact.tracing import ContractTracingLayer, Mode, Policy, Site

BRICKS = 100
"""Bricks of the pass that is timed; the figure is that of one."""
_NAME = "bench-v1", "probability"
_CONTRACT = """
metadata: {version: 1.0.0, references: [none]}
equations:
  probability:
    formula: p
    postconditions: ["0 <= ret <= 1"]
"""


def layer(mode: Mode) -> ContractTracingLayer:
    """A layer with one contract of one interval condition."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench-v1.yaml").write_text(_CONTRACT, encoding="utf-8")
        registry = ContractRegistry.load(folder)
        _ = registry.problems
    return ContractTracingLayer(registry, [], Policy(mode=mode))


def ours() -> dict[str, Contestant]:
    """Everything of the core in use, by name."""
    on, off = layer(Mode.LOG), layer(Mode.OFF)
    site, silent = on.site(*_NAME), off.site(*_NAME)
    decorated = tracepact.contract(*_NAME, layer=on)(identity)
    undecorated = tracepact.contract(*_NAME, layer=off)(identity)
    assert undecorated is identity, "off must leave the function itself"
    assert silent.check(ret=1.5), "off must check nothing"

    def span(v: float) -> None:
        with site(x=v) as opened:
            opened.record(ret=v)

    def one_call(v: float) -> None:
        assert site.check(x=v, ret=v) == (0 <= v <= 1)

    failed: Callable[[], int] = lambda: on.violations  # noqa: E731 - three contestants share it
    profiler = tracepact.BrickProfiler()
    names = {"profiler": profiler, "b": tracepact.BrickId.RmsNorm}
    bricks = "profiler.start(b, 3)\nprofiler.stop(b, 3)\n" * BRICKS
    forward = f"profiler.begin_forward()\n{bricks}profiler.end_forward()"
    return {
        "span": counting(SPAN, span, failed, site=site),
        "check": counting(CHECK, one_call, failed, site=site),
        "decorated call": counting("f(v)", decorated, failed, f=decorated),
        "brick": Contestant(Statement(forward, names)),
        **check_alone(site),
        "span, off": Contestant(Statement(SPAN, {"site": silent, "v": 0.5})),
        "bare with, off": Contestant(Statement("with site(x=v): pass", {"site": silent, "v": 0.5})),
        "check, off": Contestant(Statement(CHECK, {"site": silent, "v": 0.5})),
    }


def check_alone(site: Site) -> dict[str, Contestant]:
    """The compiled conditions without a site; only the native core has them apart."""
    if site.plan.native is None:
        return {}
    run = site.plan.native.run
    statement = Statement("run(v)", {"run": run, "v": 0.5})
    return {"check alone": Contestant(statement, lambda v: run(v) is True)}


def claims(samples: dict[str, Samples], core: str) -> list[Claim]:
    """Every limit, for one core."""
    bare = samples["bare call"]

    def figure(name: str) -> float | None:
        if name not in samples:
            return None
        each = samples[name]
        return (each.over(bare) if "decorated" in name else each).median

    def limit(name: str, at_most: float, least: str) -> Claim:
        measured, c = figure(f"{core}: {name}"), figure(f"C: {least}")
        assert measured is not None
        return Claim(f"{core}: {name}", measured, at_most, floor=c)

    def cheaper(name: str, rival: str, times: float) -> Claim:
        dear = samples[rival].over(bare) if name == "decorated call" else samples[rival]
        cheap, least = figure(f"{core}: {name}"), figure(f"C: {name}")
        assert cheap is not None
        most = None if least is None else dear.median / least
        text = f"{rival} over {core}: {name}"
        return Claim(text, dear.median / cheap, times, "×", at_least=True, floor=most)

    found = [
        limit("span", 150, "span"),
        limit("check", 60, "check"),
        limit("decorated call", 60, "decorated call"),
        limit("brick", 100, "brick"),
        limit("span, off", 100, "with call, does nothing"),
        limit("bare with, off", 100, "with, does nothing"),
    ]
    if f"{core}: check alone" in samples:
        found.insert(2, limit("check alone", 25, "check alone, METH_O"))
    if "OpenTelemetry" in samples:
        found.append(cheaper("span", "OpenTelemetry", 150))
    if "icontract" in samples:
        found.append(cheaper("decorated call", "icontract", 20))
    check = figure(f"{core}: check")
    assert check is not None
    return [*found, Claim(f"FALSIFY-T3-004, {core}: a check", check, 200)]


def main() -> None:
    """Assert that all contestants tell good from bad, then time them on a good value."""
    groups = available({**{core: on_core(core, ours) for core in CORES}, "C": least})
    contestants = {f"{core}: {n}": c for core, group in groups.items() for n, c in group.items()}
    contestants["bare call"] = call(identity, None)
    contestants |= available(
        {
            "plain assert in a wrapper": rivals.plain_assert,
            "deal": rivals.deal,
            "icontract": rivals.icontract,
            "OpenTelemetry": rivals.opentelemetry,
        }
    )
    for name, contestant in contestants.items():
        assert contestant.agrees(), f"{name} does not tell good values from bad ones"
    statements = {name: each.statement for name, each in contestants.items()}
    for core in groups.keys() & CORES:
        mine = {n: s for n, s in statements.items() if n.startswith(core)}
        statements |= {name: replace(each, core=core) for name, each in mine.items()}
    samples = interleaved(statements, seconds=25, clock=time.thread_time_ns)
    for core in groups.keys() & CORES:
        samples[f"{core}: brick"] = samples[f"{core}: brick"].per(BRICKS)
    print_samples("What does one check cost? (thread CPU time)", samples, baseline="bare call")
    rows = print_claims(claims(samples, next(iter(groups))))  # native, where it is there
    write_json("tracing_layer_overhead", {"ns": as_json(samples), "claims": rows})
