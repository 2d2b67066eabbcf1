"""MLT-03 to MLT-05 of a decoded token as the native core found them: records when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tracepact.core import ErrorStats
from tracepact.engines.reference.tracing import ROUNDING_THRESHOLD, cache_record
from tracepact.model import KvCacheRecord, kv_cache, logits, quantisation
from tracepact.model.bricks import KV_CACHE_WRITE
from tracepact.model.events import HIDDEN, OUTPUT, Log
from tracepact.model.forward import Figure
from tracepact.model.logits import LogitRecord
from tracepact.model.quantisation import QuantisationRecord
from tracepact.tracing import Context
from tracepact.types import Array, BrickId

if TYPE_CHECKING:
    from tracepact.engines.reference.linear import Linear
    from tracepact.engines.reference.model import ReferenceModel
    from tracepact.engines.reference.sampling import Sampler

Logits: TypeAlias = tuple[Array, tuple[int, ...], float, float, tuple[float, ...]]
"""Logits, one row; ids of the largest, largest share of a bound, norm of the hidden state, the
largest."""

Error: TypeAlias = tuple[float, float, int, float, float, float, float]
"""The figures of `ErrorStats`."""

Cache: TypeAlias = tuple[int, int, int]
"""Positions in use, positions there are, bytes."""

_Checked: TypeAlias = tuple[tuple[str, str], Mapping[str, Any], Context]


@dataclass
class DecodedToken:
    """What was found and holds, None for what was not traced here; `HeldTraces` has the methods.

    Attributes:
        tests: How many conditions each trace has.
        sampled: Brick and layer of the product that the error is of; `linear` is its matrix.
        lens: As `LogitRecord` has it.
        full_ranks: Likewise.
    """

    tests: Mapping[str, int]
    position: int
    log: Log
    found: tuple[Logits | None, Error | None]
    cache: Cache | None
    sampled: tuple[str, int] | None
    linear: Linear | None
    model: ReferenceModel
    sampler: Sampler | None
    lens: logits.Lens
    full_ranks: bool

    def figures(self) -> list[Figure]:
        """Of what was found."""
        top, error = self.found
        figures: list[Figure] = []
        if top is not None:
            figures.append((logits.TRACE, top[2], None, BrickId.LmHead))
        if error is not None and self.sampled is not None and self.linear is not None:
            figures.append((quantisation.TRACE, error[5], self.sampled[1], self.linear.name))
        if self.cache is not None:
            figures.append((kv_cache.TRACE, self.cache[0] / self.cache[1], None, "cache"))
        return figures

    def logits(self) -> LogitRecord | None:
        """MLT-03."""
        return self._logits

    def quantisation(self) -> QuantisationRecord | None:
        """MLT-04."""
        error = self.found[1]
        if error is None or self.sampled is None or self.linear is None:
            return None
        (brick, layer), linear = self.sampled, self.linear
        return QuantisationRecord(linear.name, linear.type_names, layer, brick, ErrorStats(*error))

    def kv_cache(self) -> KvCacheRecord | None:
        """MLT-05."""
        return None if self.cache is None else cache_record(*self.cache, self.position)

    def checked(self) -> Iterator[_Checked]:
        """Contract and equation, fields, place; in order of execution."""
        top, error = self.found
        if error is not None and self.sampled is not None:
            context = self._context(*self.sampled, quantisation.TRACE)
            fields = quantisation.fields(ErrorStats(*error), ROUNDING_THRESHOLD)
            yield quantisation.EQUATION, fields, context
        if top is not None:
            norms = self.model.weights.output.narrow_row_norms
            row = top[0].reshape(-1)
            fields = {"logits": row, "output_norms": norms, "hidden_norm": top[3]}
            yield logits.EQUATION, fields, self._context(BrickId.LmHead, None, logits.TRACE)
        if self.cache is not None:
            nothing = np.zeros(self.model.config.layers, np.int64)
            used, capacity, _ = self.cache
            fields = kv_cache.fields(used, capacity, nothing, nothing)
            yield kv_cache.EQUATION, fields, self._context(KV_CACHE_WRITE, None, kv_cache.TRACE)

    @cached_property
    def _logits(self) -> LogitRecord | None:
        if self.found[0] is None:
            return None
        _, ids, share, _, values = self.found[0]
        return LogitRecord(
            tokens=np.array(ids, np.intp),
            logits=np.array(values, np.float32),
            bound_utilization=share,
            temperature=self.sampler.temperature if self.sampler else 0.0,
            top_p=self.sampler.top_p if self.sampler else 1.0,
            hidden=self.log.arrays(OUTPUT) or self.log.arrays(HIDDEN),
            lens=self.lens,
            full_ranks=self.full_ranks,
        )

    def _context(self, brick: str, layer: int | None, trace: str) -> Context:
        return Context(layer, brick, trace, self.position)
