"""The traces of one forward pass, as they are recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from tracepact.model import attention, kv_cache, logits, quantisation
from tracepact.model.activations import ActivationRecord
from tracepact.model.attention import AttentionRecord
from tracepact.model.events import ATTENTION, POINTS, Log, events, new_log
from tracepact.model.kv_cache import KvCacheRecord
from tracepact.model.logits import LogitRecord
from tracepact.model.quantisation import QuantisationRecord
from tracepact.tracing import Context
from tracepact.types import BrickId
from tracepact.violation import Violation

Figure: TypeAlias = tuple[str, float, int | None, str]
"""Of a record: trace, figure in the run's table, layer, what it is of."""


class HeldTraces(Protocol):
    """MLT-03 to MLT-05 of a pass in which they hold, before anybody asks for the records.

    Attributes:
        tests: How many conditions each trace has.
    """

    tests: Mapping[str, int]

    def figures(self) -> list[Figure]:
        """Of each trace that was taken."""

    def logits(self) -> LogitRecord | None:
        """MLT-03; None where it was not taken, and so for the others."""

    def quantisation(self) -> QuantisationRecord | None:
        """MLT-04."""

    def kv_cache(self) -> KvCacheRecord | None:
        """MLT-05."""

    def checked(self) -> Iterator[tuple[tuple[str, str], Mapping[str, Any], Context]]:
        """What was checked: contract and equation, fields, place."""


@dataclass(slots=True)
class ForwardTraces:
    """What one forward pass left behind.

    Attributes:
        position: Position of its first token.
        violations: In order of execution, so the first one is where a fault began.
        top_k: Positions that a record of MLT-02 lists.
    """

    position: int
    top_k: int = 5
    violations: list[Violation] = field(default_factory=list)
    log: Log = field(default_factory=new_log, repr=False)
    held: HeldTraces | None = field(default=None, repr=False)
    _logits: LogitRecord | None = None
    _quantisation: list[QuantisationRecord] = field(default_factory=list)
    _kv_cache: KvCacheRecord | None = None

    @property
    def logits(self) -> LogitRecord | None:
        """MLT-03."""
        held = None if self.held is None else self.held.logits()
        return held or self._logits

    @logits.setter
    def logits(self, record: LogitRecord) -> None:
        self._logits = record

    @property
    def quantisation(self) -> list[QuantisationRecord]:
        """MLT-04, in order."""
        held = None if self.held is None else self.held.quantisation()
        return self._quantisation if held is None else [*self._quantisation, held]

    def add_quantisation(self, record: QuantisationRecord) -> None:
        """Add a record of MLT-04."""
        self._quantisation.append(record)

    @property
    def kv_cache(self) -> KvCacheRecord | None:
        """MLT-05."""
        held = None if self.held is None else self.held.kv_cache()
        return held or self._kv_cache

    @kv_cache.setter
    def kv_cache(self, record: KvCacheRecord) -> None:
        self._kv_cache = record

    def figures(self) -> list[Figure]:
        """Of each record of MLT-03 to MLT-05 but `held`."""
        found: list[Figure] = []
        if self._logits is not None:
            found.append((logits.TRACE, self._logits.bound_utilization, None, BrickId.LmHead))
        for each in self._quantisation:
            error = each.error.relative_error
            found.append((quantisation.TRACE, error, each.layer, each.tensor))
        if self._kv_cache is not None:
            found.append((kv_cache.TRACE, self._kv_cache.utilization, None, "cache"))
        return found

    @property
    def activations(self) -> list[ActivationRecord]:
        """MLT-01, in order; made when asked for."""
        return [
            ActivationRecord(event.layer, POINTS[event.kind], event.stats)
            for event in events(self.log)
            if event.kind < len(POINTS)
        ]

    @property
    def attention(self) -> list[AttentionRecord]:
        """MLT-02, in order; described when asked for."""
        return [
            attention.describe(
                event.layer or 0, event.array, attention.row_sum_error(event.stats), self.top_k
            )
            for event in events(self.log)
            if event.kind == ATTENTION and event.array is not None
        ]
