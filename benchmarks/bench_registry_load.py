"""What does it take to load 28 and 92 contract files, cold and cached, and to import tracepact?

Cold means without a cache of parsed contracts; the files themselves are in the page cache. Beside
it: what PyYAML's C loader alone takes for the same files.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import yaml

from benchmarks.harness import (
    Claim,
    Samples,
    Statement,
    as_json,
    interleaved,
    print_claims,
    print_samples,
    write_json,
)
from tracepact.contracts import ContractRegistry

CACHE_VARIABLE = "TRACEPACT_CACHE_DIR"
COUNTS = (28, 92)
ROUNDS = 15
_CHILD = """
import time
start = time.perf_counter_ns()
import numpy
numpy_done = time.perf_counter_ns()
import tracepact
imported = time.perf_counter_ns()
from tracepact import ContractRegistry, ContractTracingLayer
used = time.perf_counter_ns()
ContractRegistry.load({folder!r})
loaded = time.perf_counter_ns()
print(numpy_done - start, imported - numpy_done, used - numpy_done, loaded - used)
"""


def library(folder: Path, count: int) -> Path:
    """A folder with that many files: the shipped ones, then copies under other stems."""
    shipped = resources.files("tracepact.contracts") / "library"
    files = sorted(Path(str(f)) for f in shipped.iterdir() if f.name.endswith(".yaml"))
    folder.mkdir()
    for turn, file in zip(range(count), itertools.cycle(files), strict=False):
        if turn < len(files):
            shutil.copy(file, folder)
        else:  # equal content would be parsed once
            text = file.read_text(encoding="utf-8")
            copy = folder / f"copy-{turn}-{file.name}"
            copy.write_text(f"{text}# copy {turn}\n", encoding="utf-8")
    return folder


def yaml_alone(folder: Path) -> int:
    """Parse all files with PyYAML's C loader; the number of documents."""
    return len([yaml.load(f.read_bytes(), yaml.CSafeLoader) for f in folder.iterdir()])


def statements(folder: Path, scratch: Path, name: str) -> dict[str, Statement]:
    """Cold, cached and YAML alone; asserts first that cold and cached yield the same."""
    warm = scratch / f"warm {name}"
    os.environ[CACHE_VARIABLE] = str(warm)
    cold = ContractRegistry.load(folder)
    cached = ContractRegistry.load(folder)
    assert len(cold.contracts) == yaml_alone(folder), "every file must become a contract"
    assert cold.contracts == cached.contracts, "cold and cached must agree, positions too"
    assert cold.problems == cached.problems
    fresh = (str(scratch / f"cold {name} {n}") for n in itertools.count())
    names = {"environ": os.environ, "load": ContractRegistry.load, "folder": folder}
    cache = f"environ[{CACHE_VARIABLE!r}] = next(caches)\n"
    found = {f"{name}, cold": Statement(cache + "load(folder)", {**names, "caches": fresh})}
    if warm.exists():
        # What the cache holds is decoded when asked for; the second one asks for all of it.
        names["caches"] = itertools.repeat(str(warm))
        found[f"{name}, cached"] = Statement(cache + "load(folder)", names)
        all_of_it = cache + "list(load(folder).contracts.values())"
        found[f"{name}, cached, all decoded"] = Statement(all_of_it, names)
    else:
        print(f"skipped {name}, cached: loading left nothing in {CACHE_VARIABLE}")
    parse = Statement("parse(folder)", {"parse": yaml_alone, "folder": folder})
    return {**found, f"{name}, YAML alone": parse}


def first_times(folder: Path, scratch: Path) -> dict[str, Samples]:
    """Milliseconds in fresh processes, cold and cached in a new random order every round."""
    samples: dict[str, list[float]] = {}
    shuffle = random.Random(0).shuffle
    warm = scratch / "first warm"
    _child(folder, warm)
    order = ["cold", "cached"] if warm.exists() else ["cold"]
    for turn in range(ROUNDS):
        shuffle(order)
        for name in order:
            found = _child(folder, scratch / f"first {turn}" if name == "cold" else warm)
            if name == order[0]:
                samples.setdefault("import numpy", []).append(found[0])
                samples.setdefault("then import tracepact", []).append(found[1])
                samples.setdefault("… and its registry and layer", []).append(found[2])
            samples.setdefault(f"then first load of 28, {name}", []).append(found[3])
    return {name: Samples(values) for name, values in samples.items()}


def _child(folder: Path, cache: Path) -> list[float]:
    """Milliseconds for NumPy; then tracepact, also with its layer; then loading the folder."""
    child = subprocess.run(
        [sys.executable, "-c", _CHILD.format(folder=str(folder))],
        env={**os.environ, CACHE_VARIABLE: str(cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(ns) / 1e6 for ns in child.stdout.split()]


def main() -> None:
    """Assert that cold and cached agree, then time both."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        folders = {f"{n} files": library(scratch / str(n), n) for n in COUNTS}
        entrants: dict[str, Statement] = {}
        for name, folder in folders.items():
            entrants |= statements(folder, scratch, name)
        found = interleaved(entrants, seconds=15, collect=True)
        samples = {name: each.per(1e6) for name, each in found.items()}
        firsts = first_times(folders["28 files"], scratch)
    if before is None:
        del os.environ[CACHE_VARIABLE]
    else:
        os.environ[CACHE_VARIABLE] = before
    parse = "28 files, YAML alone"
    print_samples("What does loading take?", samples, baseline=parse, unit="ms")
    print_samples("And in a fresh process?", firsts, baseline="import numpy", unit="ms")
    claims = [
        Claim("28 files, cold", samples["28 files, cold"].median, 25, "ms",
              floor=samples[parse].median),
        Claim("import over NumPy's", firsts["then import tracepact"].median, 60, "ms"),
    ]  # fmt: skip
    if "28 files, cached" in samples:
        claims.insert(1, Claim("28 files, cached", samples["28 files, cached"].median, 2, "ms"))
    rows = print_claims(claims)
    write_json("registry_load", {"ms": as_json({**samples, **firsts}), "claims": rows})
