"""All contracts of a folder in memory, with their compiled conditions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tracepact.contracts.conditions import (
    Condition,
    EquationConditions,
    Postcondition,
    compile_conditions,
)
from tracepact.contracts.files import display_name, find_files
from tracepact.contracts.load import load_contract, parse_contract
from tracepact.contracts.model import Contract, Equation, Problem
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError
from tracepact.types import SourceLocation

if TYPE_CHECKING:
    from tracepact.profiling.budget import TokenBudget
    from tracepact.profiling.hardware import HardwareCapability


class ContractRegistry:
    """Contracts by stem. Predicates are compiled when first asked for, once, in any thread.

    Attributes:
        contracts: Read-only mapping from stem to contract.
    """

    def __init__(
        self, contracts: Iterable[Contract] = (), problems: Iterable[Problem] = ()
    ) -> None:
        kept: dict[str, Contract] = {}
        found = list(problems)
        for contract in contracts:
            first = kept.setdefault(contract.stem, contract)
            if first is not contract:
                found.append(_second(contract, first))
        self.contracts: Mapping[str, Contract] = MappingProxyType(kept)
        self._load_problems = found
        self._problems: tuple[Problem, ...] | None = None
        self._conditions: dict[tuple[str, str], EquationConditions] = {}
        self._lock = threading.RLock()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ContractRegistry:
        """Load a file, or every `*.yaml` and `*.yml` in a folder and below, in sorted order.

        A missing folder gives an empty registry. Binding files are left out. Of two files with
        the same stem the first counts. Nothing that a file holds raises: see `problems`.
        """
        path = Path(path)
        if os.path.isdir(path):
            files, problems = find_files(path)
        else:
            files, problems = [] if _is_missing(path) else [path], []
        contracts = []
        for file in files:
            contract, found = load_contract(file)
            problems.extend(found)
            if contract is not None:
                contracts.append(contract)
        return cls(contracts, problems)

    @classmethod
    def builtin(cls) -> ContractRegistry:
        """The contracts that ship with tracepact; loaded once for the process."""
        return _builtin()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything in the files that could not be understood, by file, line and column.

        The first access compiles the predicates of all contracts.
        """
        if self._problems is None:
            with self._lock:
                compiled = [
                    self._compiled(contract, equation)
                    for contract in self.contracts.values()
                    for equation in contract.equations.values()
                ]
                found = [problem for one in compiled for problem in one.problems]
                self._problems = tuple(sorted([*self._load_problems, *found], key=_by_place))
        return self._problems

    def equation(self, contract: str, equation: str) -> Equation:
        """That equation.

        Raises:
            ConfigError: There is no such contract or equation; says what is near and what is there.
        """
        found = self.contracts.get(contract)
        if found is None:
            hint = did_you_mean(contract, self.contracts)
            raise ConfigError(f"unknown contract {contract!r}; {hint}")
        if equation not in found.equations:
            hint = did_you_mean(equation, found.equations)
            raise ConfigError(f"contract {contract!r} has no equation {equation!r}; {hint}")
        return found.equations[equation]

    def preconditions(self, contract: str, equation: str) -> tuple[Condition, ...] | None:
        """What holds before the equation is computed; None if the registry has no such equation."""
        found = self._lookup(contract, equation)
        return None if found is None else found.preconditions

    def postconditions(self, contract: str, equation: str) -> tuple[Postcondition, ...] | None:
        """What holds for its result; None if the registry has no such equation."""
        found = self._lookup(contract, equation)
        return None if found is None else found.postconditions

    def unusable(self, contract: str, equation: str) -> tuple[Problem, ...]:
        """Clauses of that equation that no dialect understands, so that nothing checks them."""
        found = self._lookup(contract, equation)
        return () if found is None else found.problems

    def derive_budget(self, hardware: HardwareCapability) -> TokenBudget | None:
        """Budget per token from the roofline contract; None if the registry has none."""
        from tracepact.profiling.roofline import derive_budget  # noqa: PLC0415 - it imports us

        return derive_budget(self, hardware)

    def _lookup(self, contract: str, equation: str) -> EquationConditions | None:
        found = self._conditions.get((contract, equation))
        if found is not None:
            return found
        owner = self.contracts.get(contract)
        if owner is None or equation not in owner.equations:
            return None
        return self._compiled(owner, owner.equations[equation])

    def _compiled(self, contract: Contract, equation: Equation) -> EquationConditions:
        key = contract.stem, equation.name
        with self._lock:
            if key not in self._conditions:
                self._conditions[key] = compile_conditions(contract, equation)
            return self._conditions[key]


@cache
def _builtin() -> ContractRegistry:
    library = resources.files("tracepact.contracts") / "library"
    contracts: list[Contract] = []
    problems: list[Problem] = []
    for file in sorted(library.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            contract, found = parse_contract(file.read_bytes(), str(file))
            problems.extend(found)
            if contract is not None:
                contracts.append(contract)
    return ContractRegistry(contracts, problems)


def _is_missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False  # reading it will say why
    return False


def _second(contract: Contract, first: Contract) -> Problem:
    return Problem(
        SourceLocation(display_name(contract.path), 1, 1),
        f"a second contract {contract.stem!r}",
        f"the one in {display_name(first.path)} counts; rename or remove this one",
    )


def _by_place(problem: Problem) -> tuple[str, int, int]:
    location = problem.location
    return location.file, location.line, location.column or 0
