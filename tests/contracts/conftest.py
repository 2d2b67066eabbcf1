"""What tests of contracts share: reading a contract from a piece of YAML."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from tracepact.contracts import Contract, Problem, parse_contract


@pytest.fixture
def read() -> Callable[[str], tuple[Contract, list[Problem]]]:
    """Contract and problems of a YAML text, as if it were the file c.yaml."""

    def parse(text: str) -> tuple[Contract, list[Problem]]:
        contract, problems = parse_contract(dedent(text).lstrip("\n").encode(), "c.yaml")
        assert contract is not None, problems
        return contract, problems

    return parse
