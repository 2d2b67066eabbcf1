"""What a gate is, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tracepact.bindings import Bindings
from tracepact.contracts import Contract, ContractRegistry, Problem, load_contract
from tracepact.enforce.functions import SourceFunction
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile
from tracepact.score import (
    ContractScore,
    Placeholder,
    Ran,
    Sources,
    find_placeholders,
    score_contract,
)
from tracepact.score.ran import NOTHING_RAN

MIN_COVERAGE_PERCENT = 50.0


@dataclass(eq=False, kw_only=True)
class Project:
    """Everything that a run looks at.

    Attributes:
        files: All contract files, also those that are not linted in this run.
        bindings: None where no binding file is given.
        sources: Folders with the sources of functions and tests; may be empty.
        functions: Functions in the sources, tests left out, and files that cannot be read.
        cited: What the contracts cite and the bindings name, looked up in the sources.
        ran: What is known to have run.
        min_level: Level that every kernel must reach; "" leaves it to the contracts.
        min_score: Total that every contract must reach.
        min_coverage_percent: Of public functions that must be bound.
    """

    files: list[LintFile]
    bindings: Bindings | None = None
    sources: tuple[Path, ...] = ()
    functions: Callable[[], tuple[list[SourceFunction], list[Problem]]]
    cited: Callable[[], Sources]
    ran: Ran = NOTHING_RAN
    min_level: str = ""
    min_score: float = 0.0
    min_coverage_percent: float = MIN_COVERAGE_PERCENT

    def contract(self, stem: str, beside: Path) -> Contract | None:
        """A contract of that name: of this run, in the same folder, or shipped with tracepact."""
        known = self._by_stem.get(stem)
        if known is not None:
            return known.contract
        for suffix in (".yaml", ".yml"):
            path = beside.with_name(stem + suffix)
            if path.is_file():
                return load_contract(path)[0]
        return ContractRegistry.builtin().contracts.get(stem)

    def score(self, contract: Contract) -> ContractScore:
        """What a contract is worth, with what this run is given; judged once."""
        found = self._scores.get(id(contract))
        if found is None:
            needs = contract.metadata.depends_on
            found = self._scores[id(contract)] = score_contract(
                contract,
                bindings=self.bindings or Bindings(path=None),
                sources=self.cited() if self.sources else None,
                ran=self.ran,
                known=[stem for stem in needs if self.contract(stem, contract.path)],
                placeholders=self._placeholders,
            )
        return found

    @cached_property
    def _scores(self) -> dict[int, ContractScore]:
        return {}

    @cached_property
    def _placeholders(self) -> tuple[Placeholder, ...]:
        return find_placeholders(one.contract for one in self.files if one.contract is not None)

    def first(self, stem: str) -> LintFile | None:
        """The file whose contract counts under that name."""
        return self._by_stem.get(stem)

    @cached_property
    def _by_stem(self) -> dict[str, LintFile]:
        found: dict[str, LintFile] = {}
        for file in self.files:
            if file.held is not None and file.held.has_contract:
                found.setdefault(file.stem, file)
        return found


def _nothing(file: LintFile, contract: Contract, project: Project) -> Iterable[Finding]:
    return ()


def _unseen(file: LintFile, project: Project) -> Iterable[Finding]:
    return ()


def _nowhere(project: Project) -> Iterable[Finding]:
    return ()


def _always(project: Project) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate; each module of `gates` has one, called `GATE`.

    Attributes:
        order: Its place among the gates, from 1.
        summary: What passes it, in one sentence.
        rules: Every rule that it may find.
        check_file: Looks at one file, whether there is a contract in it or not.
        check: Looks at one contract.
        check_project: Looks at what is not in one contract.
        skipped: Why it cannot run for this project; "" where it can.
    """

    order: int
    summary: str
    rules: tuple[Rule, ...]
    check_file: Callable[[LintFile, Project], Iterable[Finding]] = _unseen
    check: Callable[[LintFile, Contract, Project], Iterable[Finding]] = _nothing
    check_project: Callable[[Project], Iterable[Finding]] = _nowhere
    skipped: Callable[[Project], str] = _always
