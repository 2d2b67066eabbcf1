"""A layer that keeps what it finds, and prompts in batches, for tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp
from tracepact.violation import Violation

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402

STEPS = 12


class Watched:
    """A layer that keeps what it finds."""

    def __init__(self, mode: str = "log") -> None:
        self.memory = tp.exporters.MemoryExporter()
        policy = tp.Policy(mode=mode)
        registry = tp.ContractRegistry.builtin()
        self.layer = tp.ContractTracingLayer(registry, [self.memory], policy)

    @property
    def violations(self) -> list[Violation]:
        return list(self.memory.violations)


def batch() -> tuple[Any, Any]:
    """Four prompts of different lengths, padded on the left."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, families.VOCABULARY, (4, 12), generator=generator)
    mask = torch.ones_like(ids)
    for row, padding in enumerate((0, 3, 5, 9)):
        ids[row, :padding] = 0
        mask[row, :padding] = 0
    return ids, mask


def generate(model: Any, steps: int = STEPS) -> Any:
    ids, mask = batch()
    return model.generate(
        ids, attention_mask=mask, max_new_tokens=steps, min_new_tokens=steps, do_sample=False
    )
