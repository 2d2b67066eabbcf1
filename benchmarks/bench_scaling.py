"""Does anything grow that should not: with sites, contracts, threads, spans, elements?

`python -m benchmarks.bench_scaling --spans 100000000` takes as many spans for "after many spans".
"""

from __future__ import annotations

import argparse
import mmap
import random
import statistics
import threading
import time
import tracemalloc
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import (
    CORES,
    Statement,
    as_json,
    available,
    interleaved,
    on_core,
    print_samples,
    write_json,
)
from benchmarks.rivals import SPAN
from tracepact.contracts import ContractRegistry
from tracepact.contracts.load import parse_contract
from tracepact.tracing import ContractTracingLayer, Mode, Policy, Site

SITES = 10_000
CONTRACTS = (1, 100, 10_000)
THREADS = (1, 2, 8)
_MANY_SECONDS = 4.0
ELEMENTS = tuple(10**n for n in range(2, 8))

_TEXT = b"""
metadata: {version: 1.0.0, references: [none]}
equations: {probability: {formula: p, postconditions: ["0 <= ret <= 1"]}}
"""


def layer(contracts: int = 1) -> ContractTracingLayer:
    """A layer with that many contracts of one interval condition."""
    parsed = (parse_contract(_TEXT, Path(f"bench-{n}.yaml"))[0] for n in range(contracts))
    registry = ContractRegistry(contract for contract in parsed if contract is not None)
    assert len(registry.contracts) == contracts
    return ContractTracingLayer(registry, [], Policy(mode=Mode.LOG))


def site_of(owner: ContractTracingLayer) -> Site:
    """A site of its first contract; asserts that it tells a good value from bad ones."""
    site = owner.site("bench-0", "probability")
    assert site.check(ret=0.5)
    assert not any(site.check(ret=bad) for bad in (1.5, float("nan")))
    return site


def run(site: Site, spans: int) -> None:
    """Open and close that many spans."""
    for _ in range(spans):
        with site(x=0.5) as span:
            span.record(ret=0.5)


def rss_bytes() -> int:
    """Resident memory now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def memory(kept: list[Site]) -> dict[str, float]:
    """Bytes a site whose span was opened once, as the system and as the allocator count them.

    Args:
        kept: Takes the sites: resident memory grows only where nothing was freed before.
    """
    owner = layer()

    def make(count: int) -> None:
        for _ in range(count):
            site = owner.site("bench-0", "probability")
            run(site, 1)
            kept.append(site)

    before = rss_bytes()
    make(SITES)
    resident = (rss_bytes() - before) / SITES
    tracemalloc.start()
    make(SITES // 10)  # it is slow
    allocated = tracemalloc.get_traced_memory()[0] / (SITES // 10)
    tracemalloc.stop()
    return {"tracemalloc": allocated, "resident": resident}


def threads() -> dict[int, float]:
    """Million spans a second of one site together, by number of threads; medians."""
    site = site_of(layer())
    start = time.perf_counter()
    run(site, 1000)
    spans = max(1000, int(1000 * 0.02 / (time.perf_counter() - start)))
    rates: dict[int, list[float]] = {count: [] for count in THREADS}
    order = list(THREADS)
    shuffle = random.Random(0).shuffle
    for _ in range(11):
        shuffle(order)
        for count in order:
            workers = [threading.Thread(target=run, args=(site, spans)) for _ in range(count)]
            start = time.perf_counter()
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            rates[count].append(count * spans / (time.perf_counter() - start) / 1e6)
    return {count: statistics.median(found) for count, found in rates.items()}


def after_many(spans: int | None) -> dict[str, float]:
    """Nanoseconds a span before and after that many, and what resident memory grew by.

    Without a number: as many as some seconds allow.
    """
    site = site_of(layer())
    statement = {"span": Statement(SPAN, {"site": site, "v": 0.5})}
    first = interleaved(statement, seconds=0.5, clock=time.thread_time_ns)["span"].median
    spans = spans or int(_MANY_SECONDS * 1e9 / first)
    before = rss_bytes()
    run(site, spans)
    grown = rss_bytes() - before
    last = interleaved(statement, seconds=0.5, clock=time.thread_time_ns)["span"].median
    return {"spans": spans, "first_ns": first, "last_ns": last, "grown_bytes": grown}


def statements(contracts: Mapping[int, ContractTracingLayer], core: str) -> dict[str, Statement]:
    """A span with few and many contracts loaded, and a check of few and many elements."""
    found = {}
    for count, owner in contracts.items():
        site = site_of(ContractTracingLayer(owner.registry, [], owner.policy))
        found[f"{core}, {count} contracts"] = Statement(SPAN, {"site": site, "v": 0.5}, core)
    for count in ELEMENTS:
        names = {"site": site_of(layer()), "a": np.full(count, 0.5, np.float32)}
        found[f"{core}, {count} elements"] = Statement("site.check(ret=a)", names, core)
    return found


def main(spans: int | None = None) -> None:
    """Ask each question of each core."""
    contracts = {count: layer(count) for count in CONTRACTS}

    kept: list[Site] = []

    def ask(core: str) -> dict[str, Any]:
        timed = statements(contracts, core)
        return {
            "memory": memory(kept),
            "threads": threads(),
            "after": after_many(spans if core == "native" else None),
            "timed": timed,
        }

    answers = available({core: on_core(core, partial(ask, core)) for core in CORES})
    kept.clear()
    timed = {name: each for found in answers.values() for name, each in found.pop("timed").items()}
    for core, found in answers.items():
        used, rates, after = found["memory"], found["threads"], found["after"]
        print(f"{core}: {used['tracemalloc']:.0f} bytes a site ({used['resident']:.0f} resident)")
        shown = ", ".join(f"{rate:.3g} with {count}" for count, rate in rates.items())
        print(f"{core}: million spans a second, by threads: {shown}")
        print(
            f"{core}: a span takes {after['first_ns']:.0f} ns first, {after['last_ns']:.0f} after "
            f"{after['spans']:,}; resident memory grew by {after['grown_bytes'] / 1024:.0f} KiB"
        )
    samples = interleaved(timed, seconds=12)
    for name in samples:
        if name.endswith(" elements"):  # from here on, an element
            samples[name] = samples[name].per(int(name.split()[-2]))
    question = "What do more contracts cost a span, and more elements an element?"
    print_samples(question, samples, baseline=next(iter(samples)))
    write_json("scaling", {**answers, "ns": as_json(samples)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int)
    main(parser.parse_args().spans)
