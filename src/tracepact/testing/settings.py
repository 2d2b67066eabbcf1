"""What a run of pytest is told about contracts: options, and settings of the same names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.enforce.shared import CONTRACTS_VARIABLE

if TYPE_CHECKING:
    from tracepact.testing.run import Effort


@dataclass(frozen=True)
class Settings:
    """Options of a run; ini settings count where an option is not given.

    Attributes:
        config: Of pytest.
    """

    config: pytest.Config

    @staticmethod
    def of(config: pytest.Config) -> Settings:
        """Those of a run; made once."""
        return config.stash.setdefault(_KEY, Settings(config))

    @cached_property
    def effort(self) -> Effort:
        """How hard Hypothesis tries."""
        from tracepact.testing.run import Effort  # noqa: PLC0415 - imports Hypothesis

        examples = self.config.getoption("tracepact_max_examples")
        if examples is None:
            examples = int(self.config.getini("tracepact_max_examples"))
        derandomize = bool(
            self.config.getoption("tracepact_derandomize")
            or self.config.getini("tracepact_derandomize")
        )
        return Effort(examples, derandomize)

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Floating dtypes of generated arrays."""
        return tuple(self.config.getini("tracepact_dtypes"))

    def registry(self, stem: str) -> ContractRegistry:
        """The project's contracts if they have that one, else those that ship with tracepact."""
        folder = self.config.getini("tracepact_contracts") or os.environ.get(CONTRACTS_VARIABLE)
        if folder:
            own = _registry(self.config.rootpath / folder)
            if stem in own.contracts:
                return own
        return ContractRegistry.builtin()


_KEY = pytest.StashKey[Settings]()


@cache
def _registry(folder: Path) -> ContractRegistry:
    return ContractRegistry.load(folder)
