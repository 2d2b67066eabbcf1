"""Tests are no package: what they share is found through the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["asserts", "deal", "icontract"])
def target(request: pytest.FixtureRequest) -> str:
    """Every target whose library is installed."""
    name: str = request.param
    if name != "asserts":
        pytest.importorskip(name)
    return name
