"""FALSIFY-T3-004: what does one check of the tracing layer cost, against at most 200 ns?

Scalar fields and one interval condition, so that the layer is measured and not the tensor.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.harness import interleaved, print_timings, write_json
from tracepact.contracts import ContractRegistry
from tracepact.errors import ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, Mode, Policy, Site

LIMIT_NS = 200
_CONTRACT = """
metadata: {version: 1.0.0, references: [none]}
equations:
  probability:
    formula: p
    postconditions: ["0 <= ret <= 1"]
"""


def site(mode: Mode) -> Site:
    """A site with one interval condition."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench-v1.yaml").write_text(_CONTRACT, encoding="utf-8")
        registry = ContractRegistry.load(folder)
        layer = ContractTracingLayer(registry, [MemoryExporter()], Policy(mode=mode))
        return layer.site("bench-v1", "probability")


def main() -> None:
    """Assert that all contestants find the bad value, then time the good one."""
    on, off = site(Mode.LOG), site(Mode.OFF)
    raising = site(Mode.RAISE)
    value = 0.5

    def span() -> None:
        with on(x=value) as opened:
            opened.record(ret=value)

    def span_off() -> None:
        with off(x=value) as opened:
            opened.record(ret=value)

    def plain_assert() -> None:
        assert 0 <= value <= 1

    assert on.check(ret=0.5)
    assert not any(on.check(ret=bad) for bad in (1.5, float("nan")))
    assert off.check(ret=1.5), "off must check nothing"
    try:
        raising.check(ret=1.5)
    except ContractViolation:
        pass
    else:
        raise AssertionError("raise must raise")

    timings = interleaved(
        {
            "plain assert": plain_assert,
            "site.check, off": lambda: off.check(ret=value),
            "site.check": lambda: on.check(ret=value),
            "span, off": span_off,
            "span": span,
        }
    )
    print_timings("What does one check cost?", timings, baseline="plain assert")
    check_ns = timings["site.check"].median_ns
    verdict = "holds" if check_ns <= LIMIT_NS else f"does not hold: {check_ns / LIMIT_NS:.0f} × it"
    print(f"FALSIFY-T3-004 (at most {LIMIT_NS} ns a check): {check_ns:.0f} ns, {verdict}\n")
    write_json(
        "tracing_layer_overhead",
        {
            "limit_ns": LIMIT_NS,
            "median_ns": {name: timing.median_ns for name, timing in timings.items()},
            "quartiles_ns": {name: timing.spread_ns for name, timing in timings.items()},
        },
    )
