"""What the tests of this room share: contracts from text, without files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tracepact.contracts.cache import ContractFile
from tracepact.contracts.load import parse_contract
from tracepact.lint.source import LintFile


@pytest.fixture(scope="session")
def contract_file() -> Callable[..., LintFile]:
    """A contract file with that text."""

    def make(text: str, path: str = "demo-v1.yaml") -> LintFile:
        data = text.encode()
        return LintFile(Path(path), data, ContractFile(Path(path), parse_contract(data, path)))

    return make
