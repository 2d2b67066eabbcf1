"""Violations to export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tracepact.types import SourceLocation
from tracepact.violation import CallSite, Violation


@pytest.fixture
def violation() -> Callable[..., Violation]:
    """A violation with some fields changed."""

    def build(**changes: Any) -> Violation:
        values: dict[str, Any] = {
            "contract": "softmax-kernel-v1",
            "equation": "softmax",
            "obligation": "Output sums to 1",
            "expression": "abs(row_sums(ret) - 1) <= tol",
            "measured": {"row_sums(ret)[2]": 0.93},
            "kind": "postcondition",
            "verdict": "failed",
            "index": (2,),
            "location": CallSite("app.py", 7),
            "source": SourceLocation("softmax.yaml", 14, 9),
            "layer": 3,
            "brick": "AttentionSoftmax",
            "trace": "MLT-02",
            "step": 5,
            "time_unix_ns": 1,
            "explanation": "row_sums(ret)[2] = 0.93",
        }
        return Violation(**(values | changes))

    return build
