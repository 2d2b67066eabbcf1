"""What does a decorated call cost: on, off, and under `python -O`?

Scalar arguments and interval conditions, with and without preconditions, beside the bare call and
other libraries. Each state is a process of its own, since it is decided when functions are defined.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    as_json,
    available,
    interleaved,
    on_core,
    print_claims,
    print_samples,
    write_json,
)  # fmt: skip
from benchmarks.rivals import Contestant, call, counting, identity
from tracepact.contracts import ContractRegistry
from tracepact.tracing import ContractTracingLayer, Mode, Policy

STATES: dict[str, tuple[list[str], dict[str, str]]] = {
    "on": ([], {}),
    "off": ([], {"TRACEPACT": "off"}),
    "-O": (["-O"], {}),
}
"""Options of the interpreter, and variables."""
_IS_ON = __debug__ and os.environ.get("TRACEPACT") != "off"
_INTERVAL = "0 <= {} <= 1"
_CONTRACT = f"""
metadata: {{version: 1.0.0, references: [none]}}
equations:
  after:
    formula: v
    postconditions: ["{_INTERVAL.format("ret")}"]
  both:
    formula: v
    preconditions: ["{_INTERVAL.format("v")}"]
    postconditions: ["{_INTERVAL.format("ret")}"]
"""


def ours() -> dict[str, Contestant]:
    """A call of every kind of decorated function; where checks are off, all are the function."""
    layer = _layer() if _IS_ON else None
    contract, requires, ensures = tracepact.contract, tracepact.requires, tracepact.ensures
    predicate = ensures(_INTERVAL.format("ret"), layer=layer)(identity)
    function = ensures(lambda ret: 0 <= ret <= 1, layer=layer)(identity)
    decorated = {
        "contract": contract("bench-v1", "after", layer=layer)(identity),
        "contract, preconditions too": contract("bench-v1", "both", layer=layer)(identity),
        "predicate": predicate,
        "predicates, one before": requires(_INTERVAL.format("v"), layer=layer)(predicate),
        "lambda": function,
        "lambdas, one before": requires(lambda v: 0 <= v <= 1, layer=layer)(function),
    }
    if layer is None:
        if any(each is not identity for each in decorated.values()):  # -O would drop an assert
            raise SystemExit("off must leave the function itself")
        return {name: call(each, None) for name, each in decorated.items()}
    failed: Callable[[], int] = lambda: layer.violations  # noqa: E731 - all share it
    return {n: counting("f(v)", each, failed, f=each) for n, each in decorated.items()}


def _layer() -> ContractTracingLayer:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench-v1.yaml").write_text(_CONTRACT, encoding="utf-8")
        registry = ContractRegistry.load(folder)
        assert not registry.problems
    return ContractTracingLayer(registry, [], Policy(mode=Mode.LOG))


def measured(seconds: float) -> dict[str, Samples]:
    """Figures of this process; contestants must tell good from bad before they are timed."""
    # Where checks are off there is nothing for a core to do.
    cores = CORES if _IS_ON else CORES[-1:]
    groups = available({core: on_core(core, ours) for core in cores})
    contestants = {f"{core}: {n}": c for core, group in groups.items() for n, c in group.items()}
    contestants |= available(
        {
            "plain assert in a wrapper": rivals.plain_assert,
            "deal": rivals.deal,
            "deal, one before": rivals.deal_both,
            "icontract": rivals.icontract,
            "icontract, one before": rivals.icontract_both,
        }
    )
    if _IS_ON:
        for name, each in contestants.items():
            assert each.agrees(), f"{name} does not tell good values from bad ones"
    statements = {"bare call": call(identity, None).statement}
    for name, each in contestants.items():
        core = name.partition(":")[0]
        statements[name] = replace(each.statement, core=core if core in groups else None)
    return interleaved(statements, seconds=seconds, clock=time.thread_time_ns)


def in_state(state: str, seconds: float) -> dict[str, Samples]:
    """Figures of a fresh process in that state."""
    options, variables = STATES[state]
    kept = {k: v for k, v in os.environ.items() if k not in ("TRACEPACT", "PYTHONOPTIMIZE")}
    module = "benchmarks.bench_decorated_call"
    run = subprocess.run(
        [sys.executable, *options, "-m", module, str(seconds)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **variables},
    )
    *notes, figures = run.stdout.splitlines()
    print("\n".join(notes))
    return {name: Samples(rounds) for name, rounds in json.loads(figures).items()}


def claims(state: str, samples: dict[str, Samples]) -> list[Claim]:
    """Limits of what a decorator adds to a call."""

    def over(name: str) -> float:
        return samples[name].over(samples["bare call"]).median

    core = "native" if "native: contract" in samples else "python"
    if state != "on":
        # One function under two names; what is left is the noise of the clock.
        return [Claim(f"{state}: {core}: contract", over(f"{core}: contract"), 5)]
    limits = {"contract": 60, "contract, preconditions too": 75}
    found = [
        Claim(f"{core}: {name}", over(f"{core}: {name}"), each) for name, each in limits.items()
    ]
    if "deal" in samples:
        ours, theirs = over(f"{core}: lambda"), over("deal")
        found.append(Claim(f"deal over {core}: lambda", theirs / ours, 2, "×", at_least=True))
    return found


def main() -> None:
    """Run each state in turn; ratios are within one process."""
    data, rows = {}, []
    for state in STATES:
        samples = in_state(state, 12.0 if state == "on" else 6.0)
        print_samples(f"A decorated call, {state} (thread CPU time)", samples, baseline="bare call")
        rows += claims(state, samples)
        data[state] = as_json(samples)
    write_json("decorated_call", {"ns": data, "claims": print_claims(rows)})


if __name__ == "__main__":
    found = measured(float(sys.argv[1]))
    print(json.dumps({name: each.rounds for name, each in found.items()}))
