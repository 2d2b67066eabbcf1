"""Everything here holds for both cores."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _every_core(core: str) -> None:
    """Run the suite of this folder once with each core."""
