"""What is known of a forward pass of a PyTorch model while it runs."""

from __future__ import annotations

import threading
from typing import Any

import torch

from tracepact.model.batch import Batch
from tracepact.types import Array


class ForwardPass(threading.local):
    """The pass of one thread.

    Attributes:
        is_on: Whether hooks have anything to do.
        batch: Sequences, or None where the model does not take token ids or embeddings.
        tokens: Of each sequence in this pass, padding included.
        position: Of the first of them.
        counted: bool [batch, tokens], False where a row is padding; None where none is.
        cache: The model's cache of keys and values, if it was handed in.
        hidden: Input and result of the head, once it ran.
        stream: What the layer that ran last gave out.
        start: What the first layer was given.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.clear()

    def clear(self) -> None:
        """Forget the last pass."""
        self.batch: int | None = None
        self.tokens = 0
        self.position = 0
        self.counted: torch.Tensor | None = None
        self.cache: Any = None
        self.hidden: tuple[torch.Tensor, torch.Tensor] | None = None
        self.stream: Any = None
        self.start: Any = None

    def begin(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Read the arguments of the model's call."""
        self.clear()
        first = arguments[0] if arguments else None
        given = options.get("input_ids", first)
        given = options.get("inputs_embeds") if given is None else given
        if not isinstance(given, torch.Tensor) or given.dim() < 2:
            return
        self.batch, self.tokens = int(given.shape[0]), int(given.shape[1])
        self.cache = options.get("past_key_values")
        length = getattr(self.cache, "get_seq_length", None)
        if callable(length):
            self.position = int(length())
        self.counted = _counted(options.get("attention_mask"), self.batch, self.tokens)

    @property
    def sequences(self) -> Batch | None:
        """The batch as the tracer wants it; None for a single sequence."""
        if self.batch is None or self.batch == 1:
            return None
        rows = None if self.counted is None else self.counted.nonzero()[:, 0].cpu().numpy()
        return Batch(self.batch, max(1, self.tokens), rows)

    @property
    def is_decoding(self) -> bool:
        """Whether each sequence has one token, which is a row that counts."""
        return self.tokens == 1 and self.counted is None

    def rows(self, value: torch.Tensor) -> torch.Tensor:
        """Rows that count: [batch, tokens, …] and [batch · tokens, …] become [rows, …].

        The tensor itself where nothing is padding, or where its axes are others.
        """
        if self.counted is None:
            return value
        if value.shape[:2] == self.counted.shape:
            return value[self.counted]
        if value.shape[0] == self.counted.numel():
            return value[self.counted.flatten()]
        return value

    def newest(self, length: int) -> Array:
        """Index of each sequence's newest row that counts, among its last `length` ones."""
        if self.counted is None or length == 1:
            return torch.full((self.batch or 1,), length - 1).numpy()
        counted = self.counted[:, self.tokens - length :].cpu()
        places = torch.arange(length).expand_as(counted)
        return torch.where(counted, places, 0).amax(1).numpy()


def _counted(mask: Any, batch: int, tokens: int) -> torch.Tensor | None:
    """Rows that are no padding, by the attention mask of the call; None: all."""
    if tokens == 1 or not isinstance(mask, torch.Tensor) or mask.dim() != 2:
        return None
    counted = mask[:, mask.shape[1] - tokens :].bool()
    if counted.shape != (batch, tokens) or bool(counted.all()):
        return None
    return counted
