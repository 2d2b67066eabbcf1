"""Contexts of whichever llama.cpp is installed, for tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.engines.llamacpp.context import detach
from tracepact.engines.llamacpp.library import Library, library
from tracepact.violation import Violation

ROOT = Path(__file__).parents[3]
F16 = ROOT / "models" / "tracepact-tales-f16.gguf"
Q8 = ROOT / "models" / "tracepact-tales-q8_0.gguf"
LAYERS = 5
PROMPT = (1, 40, 41, 42, 43, 44)


def packages() -> list[Any]:
    """Every llama.cpp there could be; those that are not installed are skipped, with the reason."""
    missing = pytest.mark.skip(reason="not installed; pip install 'tracepact[llamacpp]'")
    return [
        pytest.param(name, marks=() if find_spec(name) else missing)
        for name in ("ik_llama_cpp", "llama_cpp")
    ]


class Watched:
    """A layer that keeps what it finds."""

    def __init__(self, mode: str = "log") -> None:
        self.memory = tp.exporters.MemoryExporter()
        registry = tp.ContractRegistry.builtin()
        self.layer = tp.ContractTracingLayer(registry, [self.memory], tp.Policy(mode=mode))

    @property
    def violations(self) -> list[Violation]:
        return list(self.memory.violations)


class Engine:
    """A model and a context of it.

    Args:
        package: Whose.
        path: Of a GGUF file.
        positions: Of the KV cache.
        flash: Whether attention is one operation.
        before: Acts before our callback does.
        options: Other parameters of the context.
    """

    def __init__(
        self,
        package: str,
        path: Path = Q8,
        *,
        positions: int = 256,
        flash: bool = False,
        before: Callable[[Any], int] | None = None,
        **options: Any,
    ) -> None:
        self.library: Library = library(package)
        self.api = self.library.api
        log_set = self.library.function("llama_log_set", None, ctypes.c_void_p, ctypes.c_void_p)
        log_set(ctypes.cast(_QUIET, ctypes.c_void_p), None)
        self.api.llama_backend_init()
        parameters = self.api.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = positions
        parameters.n_threads = parameters.n_threads_batch = 1
        name = "flash_attn_type" if hasattr(parameters, "flash_attn_type") else "flash_attn"
        setattr(parameters, name, int(flash))
        for option, value in options.items():
            setattr(parameters, option, value)
        with tp.llamacpp.attachable(package, before=before):
            self.model = self.api.llama_model_load_from_file(
                str(path).encode(), self.api.llama_model_default_params()
            )
            pointer = self.api.llama_init_from_model(self.model, parameters)
        assert pointer
        self.context = tp.llamacpp.Context(pointer, package)

    def close(self) -> None:
        detach(self.context)
        self.api.llama_free(self.context.pointer)
        free = getattr(self.api, "llama_model_free", None) or self.api.llama_free_model
        free(self.model)

    def decode(
        self,
        tokens: Sequence[int],
        position: int,
        sequences: Sequence[int] | None = None,
        *,
        outputs: Sequence[int] | None = None,
    ) -> int:
        """One pass; positions count up in each sequence."""
        batch = self.api.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        places: dict[int, int] = {}
        for index, token in enumerate(tokens):
            sequence = 0 if sequences is None else sequences[index]
            place = places.setdefault(sequence, position)
            places[sequence] += 1
            batch.token[index], batch.pos[index] = token, place
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            wanted = index == len(tokens) - 1 if outputs is None else index in outputs
            batch.logits[index] = int(wanted)
        try:
            return int(self.api.llama_decode(self.context.pointer, batch))
        finally:
            self.api.llama_batch_free(batch)

    def logits(self, token: int = -1) -> np.ndarray:
        found = self.api.llama_get_logits_ith(self.context.pointer, token)
        vocabulary = self.api.llama_vocab_n_tokens(self.api.llama_model_get_vocab(self.model))
        return np.ctypeslib.as_array(found, shape=(vocabulary,)).copy()

    def write(self, tokens: int, prompt: Sequence[int] = PROMPT, position: int = 0) -> list[int]:
        """Greedy tokens after a prompt."""
        written, ids = [], list(prompt)
        for _ in range(tokens):
            assert self.decode(ids, position) == 0
            position += len(ids)
            ids = [int(self.logits().argmax())]
            written += ids
        return written


@contextmanager
def engine(package: str, path: Path = Q8, **options: Any) -> Iterator[Engine]:
    """An `Engine` that is closed afterwards."""
    made = Engine(package, path, **options)
    try:
        yield made
    finally:
        made.close()


_QUIET = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
    lambda level, text, data: None
)
