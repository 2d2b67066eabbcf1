"""What many tests share: small contracts in a temporary folder, so that none needs the library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from tracepact.contracts import ContractRegistry
from tracepact.core import using_core
from tracepact.errors import ConfigError

# A busy machine must not fail a property; the suite as a whole has a timeout.
settings.register_profile("tracepact", deadline=None)
settings.load_profile("tracepact")


@pytest.fixture(params=["python", "native"])
def core(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both cores, one after the other; suites that use it state what holds for either."""
    name: str = request.param
    try:
        block = using_core(name)
        with block:
            yield name
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def write_contract(tmp_path: Path) -> Callable[..., Path]:
    """Write a contract of one equation, `demo`, and return the file."""

    def write(
        *postconditions: str,
        pre: Sequence[str] = (),
        tolerance: float | None = None,
        stem: str = "demo-kernel-v1",
    ) -> Path:
        lines = ["metadata: {kind: pattern}", "equations:", "  demo:", "    formula: y = f(x)"]
        if tolerance is not None:
            lines.append(f"    tolerance: {tolerance}")
        for name, predicates in (("preconditions", pre), ("postconditions", postconditions)):
            if predicates:
                lines.append(f"    {name}:")
                lines += [f"      - {json.dumps(text)}" for text in predicates]
        path = tmp_path / "contracts" / f"{stem}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def registry(write_contract: Callable[..., Path]) -> Callable[..., ContractRegistry]:
    """Registry of one contract, `demo-kernel-v1`, whose equation `demo` has these conditions."""

    def load(
        *postconditions: str, pre: Sequence[str] = (), tolerance: float | None = None
    ) -> ContractRegistry:
        path = write_contract(*postconditions, pre=pre, tolerance=tolerance)
        loaded = ContractRegistry.load(path.parent)
        assert not loaded.problems, loaded.problems
        return loaded

    return load
