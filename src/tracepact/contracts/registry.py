"""All contracts of a folder in memory, with their compiled conditions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tracepact.contracts.cache import ContractFile, open_files
from tracepact.contracts.conditions import (
    Condition,
    EquationConditions,
    Postcondition,
    compile_conditions,
)
from tracepact.contracts.files import display_name, find_files, read_bytes
from tracepact.contracts.model import Contract, Equation, Problem
from tracepact.contracts.problem_log import ProblemLog, did_you_mean
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
        self, contracts: Iterable[Contract | ContractFile] = (), problems: Iterable[Problem] = ()
    ) -> None:
        held: dict[str, Contract | ContractFile] = {}
        seconds = []
        self._files: list[ContractFile] = []
        for one in contracts:
            if isinstance(one, ContractFile):
                self._files.append(one)
                if not one.has_contract:
                    continue
            first = held.setdefault(one.stem, one)
            if first is not one:
                seconds.append(_second(one, first))
        self.contracts: Mapping[str, Contract] = _Contracts(held)
        self._load_problems = [*problems, *seconds]
        self._problems: tuple[Problem, ...] | None = None
        self._conditions: dict[tuple[str, str], EquationConditions] = {}
        self._lock = threading.RLock()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ContractRegistry:
        """Load a file, or every `*.yaml` and `*.yml` in a folder and below, in sorted order.

        A missing folder gives an empty registry. Binding files are left out. Of two files with
        the same stem the first counts. Nothing that a file holds raises: see `problems`.

        What was parsed is kept in the user's cache folder (`contracts.cache`): 30 files of 7 KB
        take about 20 ms to parse, and less than 1 ms when they did not change since.
        """
        path = Path(path)
        if os.path.isdir(path):
            files, problems = find_files(path)
        else:
            files, problems = [] if _is_missing(path) else [path], []
        return cls(open_files(path, _sources(files, problems)), problems)

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
                found = [problem for file in self._files for problem in file.parsed()[1]]
                found += self._load_problems
                found += [problem for one in compiled for problem in one.problems]
                self._problems = tuple(sorted(found, key=_by_place))
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


class _Contracts(Mapping[str, Contract]):
    """Contracts by stem; one that comes from a file is made when it is first asked for."""

    def __init__(self, held: dict[str, Contract | ContractFile]) -> None:
        self._held = held

    def __getitem__(self, stem: str) -> Contract:
        found = self._held[stem]
        if isinstance(found, ContractFile):
            contract = found.parsed()[0]
            assert contract is not None  # else the registry would not hold the file
            self._held[stem] = found = contract
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


@cache
def _builtin() -> ContractRegistry:
    return ContractRegistry.load(Path(__file__).with_name("library"))


def _sources(files: list[Path], problems: list[Problem]) -> Iterator[tuple[Path, bytes]]:
    for file in files:
        log = ProblemLog(display_name(file))
        source = read_bytes(file, log)
        problems.extend(log.problems)
        if source is not None:
            yield file, source


def _is_missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False  # reading it will say why
    return False


def _second(contract: Contract | ContractFile, first: Contract | ContractFile) -> Problem:
    return Problem(
        SourceLocation(display_name(contract.path), 1, 1),
        f"a second contract {contract.stem!r}",
        f"the one in {display_name(first.path)} counts; rename or remove this one",
    )


def _by_place(problem: Problem) -> tuple[str, int, int]:
    location = problem.location
    return location.file, location.line, location.column or 0
