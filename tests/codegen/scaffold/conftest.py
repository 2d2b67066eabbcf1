"""A contract that can be scaffolded, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tracepact.codegen.scaffold import Interface, derive_interface
from tracepact.contracts import ContractRegistry

SCALE = """\
metadata: {version: 1.2.0, description: Rows that are scaled.}
equations:
  scale:
    formula: ret = x * factor
    domain: 'x [..., n] finite, factor > 0'
    codomain: 'R^[..., n]'
    tolerance: 1.0e-6
    invariants: [Signs are kept]
    preconditions: ['factor > 0']
    postconditions: ['shape(ret) == shape(x)', 'abs(ret - x * factor) <= tol']
  bytes_moved:
    formula: bytes_moved = 2 * elements * itemsize_bytes
    preconditions: ['elements >= 1']
    postconditions: ['bytes_moved == 2 * elements * itemsize_bytes']
falsification_tests:
  - id: FALSIFY-SCALE-001
    prediction: A factor that is applied twice is reported.
    if_fails: Look for a kernel that works in place on its input.
"""


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "scale-v1.yaml").write_text(SCALE, encoding="utf-8")
    return folder


@pytest.fixture
def interface(contracts: Path) -> Interface:
    return derive_interface(ContractRegistry.load(contracts), "scale-v1")


@pytest.fixture
def derive(contracts: Path) -> Callable[[str], Interface]:
    """Interface of a contract of which this is the text."""

    def derive(text: str) -> Interface:
        (contracts / "other-v1.yaml").write_text(text, encoding="utf-8")
        return derive_interface(ContractRegistry.load(contracts), "other-v1")

    return derive
