"""Keep violations in memory, for tests and reports."""

from __future__ import annotations

from tracepact.violation import Violation


class MemoryExporter:
    """Collects violations in order.

    Attributes:
        violations: What was exported so far.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def export(self, violation: Violation) -> None:
        """Append the violation."""
        self.violations.append(violation)

    def clear(self) -> None:
        """Forget everything."""
        self.violations.clear()

    def close(self) -> None:
        """Nothing is held."""
