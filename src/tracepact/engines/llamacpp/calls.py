"""Calls of a package's functions, seen on their way: passes, and changes of a cache."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from tracepact.engines.llamacpp.context import address_of, patched
from tracepact.engines.llamacpp.library import Library
from tracepact.types import Array

_PASSES: Final = ("llama_decode", "llama_encode")
_CHANGES: Final = re.compile(
    r"llama_(?:(?:memory|kv_cache|kv_self)_(?:clear|update|apply|defrag|seq_(?!pos)\w+)"
    r"|(?:state|state_seq)_(?:set_data|load_file)\w*|set_state_data|load_session_file)"
)


@dataclass(frozen=True, slots=True)
class Call:
    """What a pass was asked for.

    Attributes:
        tokens: How many.
        position: Of the first one; None where the library keeps count.
        sequences: int [tokens], the sequence of each; None where all are of sequence 0.
        outputs: int [n], the tokens whose logits are wanted.
    """

    tokens: int
    position: int | None
    sequences: Array | None
    outputs: Array


class Watching(Protocol):
    """Who watches a context."""

    def around(self, run: Callable[[], int], call: Call) -> int:
        """Run a pass, and look at it; its return code."""

    def forget(self) -> None:
        """Somebody shifts, copies, loads or clears what a cache of the library holds."""


_NEWEST: Final = np.zeros(1, np.int64)
_NONE: Final = np.zeros(0, np.int64)

_watching: dict[tuple[str, int], Watching] = {}
_patches: dict[str, ExitStack] = {}
_lock = threading.Lock()


def watch_calls(library: Library, pointer: int, watching: Watching) -> bool:
    """Have a context's passes go through `watching`; False where somebody does so already."""
    with _lock:
        key = library.package, pointer
        if key in _watching:
            return False
        _watching[key] = watching
        if library.package not in _patches:
            stack = _patches[library.package] = ExitStack()
            for name in _PASSES:
                stack.enter_context(patched(library.api, name, _seen(library)))
            for name in [each for each in vars(library.api) if _CHANGES.fullmatch(each)]:
                stack.enter_context(patched(library.api, name, _changing(library)))
        return True


def unwatch_calls(library: Library, pointer: int) -> None:
    """End that; the last one takes the functions' replacements away."""
    with _lock:
        _watching.pop((library.package, pointer), None)
        if not any(package == library.package for package, _ in _watching):
            _patches.pop(library.package, ExitStack()).close()


def _seen(library: Library) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def replace(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(context: Any, batch: Any) -> Any:
            watching = _watching.get((library.package, address_of(context)))
            if watching is None:
                return function(context, batch)
            return watching.around(lambda: function(context, batch), _call_of(batch))

        return call

    return replace


def _changing(library: Library) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def replace(function: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            for (package, _), watching in list(_watching.items()):
                if package == library.package:
                    watching.forget()
            return function(*arguments)

        return change

    return replace


def _call_of(batch: Any) -> Call:
    tokens = int(batch.n_tokens)
    position = int(batch.pos[0]) if batch.pos else getattr(batch, "all_pos_0", None)
    sequences = None
    if tokens == 1 and not (batch.seq_id and batch.n_seq_id and batch.seq_id[0][0]):
        return Call(1, position, None, _NEWEST if not batch.logits or batch.logits[0] else _NONE)
    if batch.seq_id and batch.n_seq_id:
        found = np.fromiter((batch.seq_id[i][0] for i in range(tokens)), np.int64, tokens)
        sequences = found if found.any() else None
    if batch.logits:
        outputs = np.flatnonzero(np.ctypeslib.as_array(batch.logits, shape=(tokens,)))
    else:
        outputs = np.array([tokens - 1])
    return Call(tokens, position, sequences, outputs)
