"""MLT-03 and MLT-05 of a decoded token in one native call; records are made when asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np

from tracepact.core import native_core
from tracepact.core.arrays import as_array
from tracepact.model import kv_cache, logits
from tracepact.model.bricks import KV_CACHE_WRITE
from tracepact.model.events import HIDDEN, OUTPUT, Log
from tracepact.model.forward import Figure
from tracepact.model.kv_cache import KvCacheRecord
from tracepact.model.logits import LogitRecord
from tracepact.model.quantisation import QuantisationRecord
from tracepact.model.watching import watch_pass_end
from tracepact.tracing import Context
from tracepact.types import Array, BrickId

if TYPE_CHECKING:
    from tracepact.model.tracer import ModelTracer


NewLogits: TypeAlias = tuple[Any, Array, Any, logits.Lens | None]
"""What decides on the newest logits of one sequence.

These, [vocabulary] or one such row, as the output matrix gave them: any array that can be measured;
the norm of each row of that matrix, [vocabulary]; the final hidden state, likewise, or its L2 norm;
a lens as `LogitRecord` has it."""


class CacheFill(Protocol):
    """A cache in which nothing strange was found: a tuple that begins with used and capacity."""

    @property
    def used(self) -> int:
        """Positions in use."""

    @property
    def capacity(self) -> int:
        """Positions there are."""

    @property
    def layers(self) -> int:
        """How many it has."""

    def record(self) -> KvCacheRecord:
        """The rest, when somebody asks."""


Winners: TypeAlias = tuple[Any, tuple[int, ...], float, float, tuple[float, ...]]
"""The logits, ids [k] of the largest, the largest share of a bound, the L2 norm of the hidden
state, the largest logits [k]."""


class PassEnd:
    """Decides at the end of a pass whether its logits and its cache hold.

    Args:
        tracer: Whose contracts.
    """

    def __init__(self, tracer: ModelTracer) -> None:
        self._tracer = tracer
        # Products are compared by each engine in its own way, so their threshold is never used.
        serves = native_core() is not None and tracer.config.activations
        self._watched = watch_pass_end(tracer, math.nan) if serves else None
        self._nothing = np.zeros(0, np.int64)

    def holds(self, top: NewLogits | None, cache: CacheFill | None) -> bool:
        """Whether both hold for sure, and are in the traces; else nothing has happened."""
        tracer = self._tracer
        if self._watched is None:
            return False
        end, tests = self._watched
        if cache is not None and len(self._nothing) != cache.layers:
            self._nothing = np.zeros(cache.layers, np.int64)
        found = end.holds(top, cast("tuple[Any, ...] | None", cache), self._nothing)
        if found is None:
            return False
        last, winners = tracer.last, None if isinstance(found, bool) else found
        last.held = HeldPass(
            tests, last.position, last.log, winners, top, cache, tracer.config.full_ranks
        )
        return True


@dataclass
class HeldPass:
    """What was found and holds; `HeldTraces` has the methods.

    Attributes:
        tests: How many conditions each trace has.
        winners: Of the logits.
    """

    tests: Mapping[str, int]
    position: int
    log: Log
    winners: Winners | None
    top: NewLogits | None
    cache: CacheFill | None
    full_ranks: bool

    def figures(self) -> list[Figure]:
        """Of what was found."""
        found: list[Figure] = []
        if self.winners is not None:
            found.append((logits.TRACE, self.winners[2], None, BrickId.LmHead))
        if self.cache is not None:
            fill = self.cache.used / self.cache.capacity if self.cache.capacity else 0.0
            found.append((kv_cache.TRACE, fill, None, "cache"))
        return found

    def logits(self) -> LogitRecord | None:
        """MLT-03."""
        return self._logits

    def quantisation(self) -> QuantisationRecord | None:
        """Recorded by itself."""
        return None

    def kv_cache(self) -> KvCacheRecord | None:
        """MLT-05."""
        return None if self.cache is None else self.cache.record()

    def checked(self) -> Iterator[tuple[tuple[str, str], Mapping[str, Any], Context]]:
        """Contract and equation, fields, place, in order of execution; until the pass ends."""
        top, cache = self.top, self.cache
        if top is not None and self.winners is not None:
            fields: dict[str, Any] = {
                "logits": as_array(top[0]).reshape(-1),
                "output_norms": top[1],
                "hidden_norm": self.winners[3],
            }
            context = Context(None, BrickId.LmHead, logits.TRACE, self.position)
            yield logits.EQUATION, fields, context
        if cache is not None:
            nothing = np.zeros(cache.layers, np.int64)
            fields = kv_cache.fields(cache.used, cache.capacity, nothing, nothing)
            context = Context(None, KV_CACHE_WRITE, kv_cache.TRACE, self.position)
            yield kv_cache.EQUATION, fields, context

    @cached_property
    def _logits(self) -> LogitRecord | None:
        if self.winners is None or self.top is None:
            return None
        _, tokens, share, _, values = self.winners
        return LogitRecord(
            tokens=np.array(tokens, np.intp),
            logits=np.array(values, np.float32),
            bound_utilization=share,
            temperature=0.0,
            top_p=1.0,
            hidden=self.log.arrays(OUTPUT) or self.log.arrays(HIDDEN),
            lens=self.top[3],
            full_ranks=self.full_ranks,
        )
