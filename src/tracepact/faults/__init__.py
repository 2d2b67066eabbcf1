"""Planting faults on purpose, to see that they are found."""

from tracepact.faults.spec import DEFAULT_BRICKS, FaultKind, FaultSpec

__all__ = ["DEFAULT_BRICKS", "FaultKind", "FaultSpec"]
