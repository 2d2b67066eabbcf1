"""A model and its contexts by the functions of llama.h, the same for every llama.cpp."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np

from tracepact.engines.llamacpp.context import Context, address_of, attachable, detach
from tracepact.engines.llamacpp.library import Library
from tracepact.engines.llamacpp.watcher import Callback
from tracepact.errors import ConfigError, ModelFileError
from tracepact.types import Array

_QUIET: Final = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
    lambda level, text, data: None
)
_LARGEST_BATCH: Final = 2048


class RawModel:
    """A loaded model.

    Args:
        library: What loads it.
        path: A GGUF file.

    Raises:
        ModelFileError: The library cannot load it.
    """

    def __init__(self, library: Library, path: Path) -> None:
        api = library.api
        self.library = library
        log_set = library.function("llama_log_set", None, ctypes.c_void_p, ctypes.c_void_p)
        if log_set is not None:
            log_set(ctypes.cast(_QUIET, ctypes.c_void_p), None)
        api.llama_backend_init()
        with attachable(library.package):
            self._model = api.llama_model_load_from_file(
                str(path).encode(), api.llama_model_default_params()
            )
        if not self._model:
            raise ModelFileError(f"{path}: {library.description} cannot load it")

    def number(self, *names: str) -> int:
        """A number of the model, by the function that has it; names differ between versions."""
        for name in names:
            function = self.library.function(name, ctypes.c_int32, ctypes.c_void_p)
            if function is not None:
                return int(function(address_of(self._model)))
        raise ConfigError(f"{self.library.description} has none of {', '.join(names)}")

    def close(self) -> None:
        """Free it."""
        free = getattr(self.library.api, "llama_model_free", None)
        (free or self.library.api.llama_free_model)(self._model)

    @contextmanager
    def context(
        self,
        positions: int,
        threads: int,
        before: Callable[[Callback], int] | None = None,
        *,
        attach: bool = True,
    ) -> Iterator[RawContext]:
        """A context that can be traced.

        Args:
            positions: Of its KV cache.
            threads: That compute.
            before: As of `attachable`.
            attach: Whether it has a callback.

        Raises:
            ConfigError: There is no memory for it.
        """
        api = self.library.api
        parameters = api.llama_context_default_params()
        parameters.n_ctx = positions
        parameters.n_batch = min(positions, _LARGEST_BATCH)
        parameters.n_threads = parameters.n_threads_batch = threads
        # Attention in one operation leaves no rows for MLT-02.
        flash = "flash_attn_type" if hasattr(parameters, "flash_attn_type") else "flash_attn"
        setattr(parameters, flash, 0)
        package = self.library.package
        with attachable(package, before=before) if attach else nullcontext():
            pointer = api.llama_init_from_model(self._model, parameters)
        if not pointer:
            raise ConfigError(f"no context of {positions} positions; give a smaller one")
        context = Context(pointer, self.library.package)
        size = self.library.function("llama_n_ctx", ctypes.c_uint32, ctypes.c_void_p)
        try:
            yield RawContext(self, context, int(size(address_of(pointer))))
        finally:
            detach(context)
            api.llama_free(pointer)


class RawContext:
    """A context with one sequence.

    Attributes:
        context: To hand to `tp.trace`.
        positions: Of its KV cache, which may be more than was asked for.
    """

    def __init__(self, model: RawModel, context: Context, positions: int) -> None:
        self.context = context
        self.positions = positions
        self._api = model.library.api
        self._used = 0
        vocabulary = self._api.llama_model_get_vocab(model._model)
        self._vocabulary = int(self._api.llama_vocab_n_tokens(vocabulary))

    def forward(self, tokens: Sequence[int]) -> Array | None:
        """Logits [V] after some more tokens; None where the cache has no room for them.

        Raises:
            ConfigError: The engine gave up.
        """
        api, logits = self._api, None
        for start in range(0, len(tokens), _LARGEST_BATCH):
            piece = tokens[start : start + _LARGEST_BATCH]
            batch = _batch(api, piece, self._used)
            status = api.llama_decode(self.context.pointer, batch)
            api.llama_batch_free(batch)
            if status == 1:
                return None
            if status != 0:
                raise ConfigError(f"llama_decode failed with {status}")
            self._used += len(piece)
            found = api.llama_get_logits_ith(self.context.pointer, -1)
            logits = np.ctypeslib.as_array(found, shape=(self._vocabulary,)).copy()
        return logits


def _batch(api: Any, tokens: Sequence[int], position: int) -> Any:
    """Tokens of sequence 0, of which the last one's logits are wanted."""
    batch = api.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index] = token
        batch.pos[index] = position + index
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = 0
        batch.logits[index] = int(index == len(tokens) - 1)
    return batch
