"""MLT-03 on llama.cpp: logits against the bound that the output matrix of the file gives."""

from __future__ import annotations

import ctypes
from typing import Final

import numpy as np

from tracepact.engines.llamacpp.calls import Call
from tracepact.engines.llamacpp.context import Attached
from tracepact.engines.llamacpp.model_file import ModelFile
from tracepact.engines.llamacpp.nodes import Node
from tracepact.model import ModelTracer
from tracepact.model.events import POINTS
from tracepact.model.pass_end import NewLogits
from tracepact.types import Array, BrickId

_POST_NORM: Final = POINTS.index("post-norm")

ROUNDED: Final = 1.03
"""Quantised products round their input to 8 bits a block of 32: each element by at most 1/254 of
the largest one, so the norm of a block grows by at most sqrt(32) / 254, which is 2.3 %."""


class LogitTrace:
    """What MLT-03 needs of one context.

    Args:
        attached: The context.
        tracer: Takes the trace.
        file: Of the model; without it the magnitude of logits is not checked.
    """

    def __init__(self, attached: Attached, tracer: ModelTracer, file: ModelFile | None) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int32
        function = attached.library.function
        self._tracer = tracer
        self._context = attached.pointer
        self._logits = function("llama_get_logits_ith", pointer, pointer, number)
        model = function("llama_get_model", pointer, pointer)(attached.pointer)
        vocabulary = function("llama_model_get_vocab", pointer, pointer)(model)
        self._size: int = function("llama_vocab_n_tokens", number, pointer)(vocabulary)
        self._memory = ctypes.c_float * self._size
        self._seen: tuple[int, Array] | None = None  # the engine writes them to the same place
        self._file = file
        self._weight: str | None = None
        self._row_norms: Array | None = None
        self._bias: Array | None = None

    def meet(self, node: Node) -> None:
        """Learn which matrix makes the logits."""
        if node.brick == BrickId.LmHead and node.weight is not None:
            self._weight, file = node.weight, self._file
            if file is None or file.type_of(node.weight) is None:
                return
            # Some models divide by this number, others multiply with it.
            scale = max(1.0, file.number("logit_scale", 1.0))
            self._row_norms = file.row_norms(node.weight) * np.float32(scale)
            self._bias = file.vector("output.bias")

    def newest(self, call: Call) -> NewLogits | None:
        """Of a pass with one sequence, what decides on its logits; None without a bound."""
        norm = self._hidden_norm() if len(call.outputs) else None
        if norm is None or self._row_norms is None:
            return None
        values = self._values(-1)
        if values is None:
            return None
        values = values if self._bias is None else values - self._bias
        lens = None if self._file is None else self._lens
        return values, self._row_norms, ROUNDED * norm, lens

    def record(self, call: Call) -> None:
        """Hand the newest logits of every sequence to the tracer; the last one's are kept.

        Of several rows the bound is that of all of them together, which is wider.
        """
        if self._weight is None:
            return
        norm = self._hidden_norm()
        for sequence, token in _newest(call):
            values = self._values(token)
            if values is None:
                continue
            self._tracer.record_logits(
                values if self._bias is None else values - self._bias,
                row_norms=None if norm is None else self._row_norms,
                hidden_norm=ROUNDED * (norm or 0.0),
                lens=None if self._file is None else self._lens,
                sequence=sequence,
            )

    def _hidden_norm(self) -> float | None:
        """Of the final norm's result, which is the last that MLT-01 has looked at."""
        return self._tracer.last.log.last_norm(_POST_NORM)

    def _values(self, token: int) -> Array | None:
        address = self._logits(self._context, token)
        if not address:
            return None
        if self._seen is None or self._seen[0] != address:
            memory = self._memory.from_address(address)
            self._seen = address, np.frombuffer(memory, np.float32)
        return self._seen[1]

    def _lens(self, hidden: Array, tokens: Array | None) -> Array:
        """Logits that residual streams [n, d] would give: final norm, then output matrix."""
        file, weight = self._file, self._weight
        assert file is not None, "else there is no lens"
        assert weight is not None, "nor then"
        x = file.final_norm(hidden.astype(np.float32))
        rows = np.arange(file.row_count(weight)) if tokens is None else tokens
        logits: Array = x @ file.rows(weight, rows).T
        return logits


def _newest(call: Call) -> list[tuple[int | None, int]]:
    """Sequence, and token of the newest logits of each sequence."""
    if not len(call.outputs):
        return []
    if call.sequences is None:
        return [(None, int(call.outputs[-1]))]
    of = call.sequences[call.outputs]
    return [(int(each), int(call.outputs[of == each][-1])) for each in np.unique(of)]
