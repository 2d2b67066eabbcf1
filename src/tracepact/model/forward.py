"""The traces of one forward pass, as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracepact.model.activations import ActivationRecord
from tracepact.model.attention import AttentionRecord
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
    """

    position: int
    activations: list[ActivationRecord] = field(default_factory=list)
    attention: list[AttentionRecord] = field(default_factory=list)
    logits: LogitRecord | None = None
    quantisation: list[QuantisationRecord] = field(default_factory=list)
    kv_cache: KvCacheRecord | None = None
    violations: list[Violation] = field(default_factory=list)
