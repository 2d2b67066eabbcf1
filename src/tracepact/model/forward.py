"""The traces of one forward pass, as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracepact.model import attention
from tracepact.model.activations import ActivationRecord
from tracepact.model.attention import AttentionRecord
from tracepact.model.events import ATTENTION, POINTS, Log, events, new_log
from tracepact.model.kv_cache import KvCacheRecord
from tracepact.model.logits import LogitRecord
from tracepact.model.quantisation import QuantisationRecord
from tracepact.violation import Violation


@dataclass(slots=True)
class ForwardTraces:
    """What one forward pass left behind.

    Attributes:
        position: Position of its first token.
        violations: In order of execution, so the first one is where a fault began.
        top_k: Positions that a record of MLT-02 lists.
    """

    position: int
    logits: LogitRecord | None = None
    quantisation: list[QuantisationRecord] = field(default_factory=list)
    kv_cache: KvCacheRecord | None = None
    violations: list[Violation] = field(default_factory=list)
    top_k: int = 5
    log: Log = field(default_factory=new_log, repr=False)

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
