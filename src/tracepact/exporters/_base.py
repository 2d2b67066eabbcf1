"""What an exporter is."""

from __future__ import annotations

from typing import Protocol

from tracepact.violation import Violation


class Exporter(Protocol):
    """Takes violations somewhere. An exception in here is counted and logged, never raised."""

    def export(self, violation: Violation) -> None:
        """Take one violation; called in the thread that found it."""

    def close(self) -> None:
        """Flush and release what is held; called once."""
