"""Tokens one after the other, whatever computes the logits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import StrEnum

from tracepact.types import Array


class StopReason(StrEnum):
    """Why a generation ended."""

    STOP_TOKEN = "stop_token"
    MAX_TOKENS = "max_tokens"
    CONTEXT_FULL = "context_full"


class Generation(Iterator[int]):
    """Token ids as they are generated; the prompt runs through the model at the first one.

    Args:
        start: runs the prompt; returns the logits [V] of its last token.
        step: runs one token; returns the logits [V] after it, None where there is no room for it.
        draw: chooses a token from logits.
        max_tokens: how many to generate at most, at least 1.
        stop: ids that end the generation; they are not yielded.

    Attributes:
        stop_reason: None while there may be more tokens.
    """

    def __init__(
        self,
        start: Callable[[], Array],
        step: Callable[[int], Array | None],
        draw: Callable[[Array], int],
        *,
        max_tokens: int,
        stop: Collection[int],
    ) -> None:
        self.stop_reason: StopReason | None = None
        self._start = start
        self._step = step
        self._draw = draw
        self._max_tokens = max_tokens
        self._stop = frozenset(stop)
        self._tokens = self._generate()

    def __next__(self) -> int:
        return next(self._tokens)

    def _generate(self) -> Iterator[int]:
        logits: Array | None = self._start()
        generated = 0
        while logits is not None:
            token = self._draw(logits)
            if token in self._stop:
                self.stop_reason = StopReason.STOP_TOKEN
                return
            yield token
            generated += 1
            if generated == self._max_tokens:
                self.stop_reason = StopReason.MAX_TOKENS
                return
            logits = self._step(token)
        self.stop_reason = StopReason.CONTEXT_FULL
