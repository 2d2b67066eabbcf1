"""How many of 200 random flips of an exponent bit of a weight are found, at the right place?

A flip that moves no output by more than rounding may pass: the weight, or what it is multiplied
with, is too small to matter.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.harness import write_json
from tracepact.contracts import ContractRegistry
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.injector import FaultInjector
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tracing import TracingProbe
from tracepact.exporters import MemoryExporter
from tracepact.faults.spec import FaultKind, FaultSpec
from tracepact.model import ModelTracer
from tracepact.tracing import ContractTracingLayer
from tracepact.types import Array, BrickId

FLIPS = 200
TOKENS = 4
_PROMPT = [5, 6, 7]
MODEL = Path(__file__).parent.parent / "models" / "tracepact-tales-q8_0.gguf"
_BRICKS = (
    BrickId.QkvProjection,
    BrickId.OutputProjection,
    BrickId.GateProjection,
    BrickId.UpProjection,
    BrickId.DownProjection,
)


def main() -> None:
    """Flip, generate, look where the first violation is; then put the bit back."""
    model = ReferenceModel.load(MODEL, checksums=True)
    assert _first(model, None) is None, "the healthy model must raise no alarm"
    outcomes: dict[str, int] = {"named": 0, "elsewhere": 0, "missed": 0}
    missed_effects: list[float] = []
    healthy = _logits(model)
    places = itertools.cycle(itertools.product(range(model.config.layers), _BRICKS))
    for seed, (layer, brick) in track(
        zip(range(FLIPS), places, strict=False), "flipping bits", total=FLIPS
    ):
        weight = model.weight_of(brick, layer).weight
        before = weight.copy()
        injector = FaultInjector(FaultSpec(FaultKind.BIT_FLIP, layer, brick), model, seed=seed)
        first = _first(model, injector)
        if first is None:
            outcomes["missed"] += 1
            missed_effects.append(float(np.abs(_logits(model) - healthy).max()))
        else:
            outcomes["named" if first == (layer, brick) else "elsewhere"] += 1
        weight[...] = before
    rate = outcomes["named"] / FLIPS
    largest = max(missed_effects, default=0.0)
    print(
        f"{FLIPS} flips: {outcomes['named']} named at the right layer and brick ({rate:.1%}), "
        f"{outcomes['elsewhere']} found elsewhere, {outcomes['missed']} missed; those moved no "
        f"logit by more than {largest:.2g} (logits reach {np.abs(healthy).max():.0f})\n"
    )
    write_json("bit_flips", {"flips": FLIPS, **outcomes, "largest_missed_logit_change": largest})


def _logits(model: ReferenceModel) -> Array:
    return model.forward(_PROMPT, model.new_cache(), last_only=False)


def _first(
    model: ReferenceModel, injector: FaultInjector | None
) -> tuple[int | None, str | None] | None:
    """Layer and brick of the first violation, or None."""
    memory = MemoryExporter()
    tracer = ModelTracer(ContractTracingLayer(ContractRegistry.builtin(), [memory]))
    probe = TracingProbe(model, tracer, None, injector)
    for _ in generate(model, _PROMPT, max_tokens=TOKENS, probe=probe):
        pass
    failed = [v for v in memory.violations if v.verdict == "failed"]
    return (failed[0].layer, failed[0].brick) if failed else None
