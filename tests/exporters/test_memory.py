"""Violations kept in memory."""

from __future__ import annotations

from collections.abc import Callable

from tracepact.exporters import MemoryExporter
from tracepact.violation import Violation


def test_violations_are_kept_in_order(violation: Callable[..., Violation]) -> None:
    memory = MemoryExporter()
    found = [violation(layer=layer) for layer in range(3)]
    for one in found:
        memory.export(one)
    memory.close()
    assert memory.violations == found


def test_clear_forgets_them(violation: Callable[..., Violation]) -> None:
    memory = MemoryExporter()
    kept = memory.violations
    memory.export(violation())
    memory.clear()
    assert kept == []
    assert memory.violations is kept
