"""A code base as the checks see it: read once, when first asked for; nothing of it is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from tracepact.bindings import Binding, Bindings, binding_files, load_bindings
from tracepact.comply.settings import Settings
from tracepact.contracts import Contract, ContractRegistry, Problem
from tracepact.contracts.files import display_name
from tracepact.enforce.functions import SourceFunction, read_functions
from tracepact.errors import ConfigError
from tracepact.evidence import Result, evidence_file, load_evidence
from tracepact.lint.run import Report, lint
from tracepact.lint.settings import read_settings as read_lint_settings
from tracepact.lint.source import LintFile, open_paths
from tracepact.score import (
    ContractScore,
    Placeholder,
    Ran,
    Sources,
    find_placeholders,
    gather,
    read_sources,
    score_contract,
)
from tracepact.types import SourceLocation

CLAIMED: Final = ("implemented", "partial")
"""Statuses of bindings that say that a function is there."""

_DEPTH: Final = 3
"""Folders below the project in which a folder `contracts` is looked for."""

_SKIPPED: Final = frozenset(("node_modules", "site-packages", "build", "dist", "tests", "target"))


@dataclass(eq=False)
class Project:
    """Everything that the checks look at.

    Attributes:
        folder: Where its pyproject.toml is.
        evidence_file: What ran; None for what the project says, else the default.
    """

    folder: Path
    settings: Settings = field(default_factory=Settings)
    evidence_file: Path | None = None

    @property
    def place(self) -> SourceLocation:
        """Where findings are that are about the whole project."""
        return SourceLocation(display_name(self.folder / "pyproject.toml"), 1, 1)

    def threshold(self, key: str) -> float:
        """One of the thresholds."""
        return self.settings.thresholds[key]

    @cached_property
    def files(self) -> list[LintFile]:
        """The contract files of the project."""
        wanted = [self.folder / name for name in self.settings.contracts]
        return open_paths(wanted or _contract_folders(self.folder, _DEPTH))

    @cached_property
    def own(self) -> list[Contract]:
        """Its contracts, in order; of two with the same name the first."""
        found: dict[str, Contract] = {}
        for file in self.files:
            if file.contract is not None:
                found.setdefault(file.contract.stem, file.contract)
        return list(found.values())

    @cached_property
    def registry(self) -> ContractRegistry:
        """Its contracts, then the shipped ones."""
        held = [file.held for file in self.files if file.held is not None]
        return ContractRegistry([*held, *ContractRegistry.builtin().contracts.values()])

    @cached_property
    def used(self) -> list[Contract]:
        """Its contracts, and the shipped ones that bindings or decorators name."""
        named = {entry.contract for entry in self.bindings.entries}
        named.update(stem for function in self.functions for stem, _ in contracts_of(function))
        found = {contract.stem: contract for contract in self.own}
        for stem in sorted(named - found.keys()):
            if stem in self.registry.contracts:
                found[stem] = self.registry.contracts[stem]
        return list(found.values())

    @cached_property
    def bindings(self) -> Bindings:
        """The entries of all its binding files."""
        each = [load_bindings(path) for path in binding_files(self.folder)]
        return Bindings(
            path=next((one.path for one in each if one.path is not None), None),
            entries=tuple(entry for one in each for entry in one.entries),
            problems=tuple(problem for one in each for problem in one.problems),
        )

    @cached_property
    def claims(self) -> list[Binding]:
        """The entries that say that a function is there."""
        return [entry for entry in self.bindings.entries if entry.status in CLAIMED]

    @property
    def functions(self) -> list[SourceFunction]:
        """Functions of its code, without those of tests."""
        return self._read[0]

    @property
    def unread(self) -> list[Problem]:
        """Files of its code that cannot be read."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[list[SourceFunction], list[Problem]]:
        default = "src" if (self.folder / "src").is_dir() else "."
        functions: list[SourceFunction] = []
        problems: list[Problem] = []
        for root in (self.folder / name for name in self.settings.sources or (default,)):
            if not root.exists():
                raise ConfigError(f"{root} does not exist; correct `sources` of comply's settings")
            found, unread = read_functions(root)
            functions += (each for each in found if not self._is_test(Path(each.location.file)))
            problems += unread
        return functions, problems

    @cached_property
    def by_name(self) -> dict[tuple[str, str], SourceFunction]:
        """Functions that the code defines, by module and qualified name."""
        return {(f.module, f.qualname): f for f in self.functions if f.signature}

    @cached_property
    def sources(self) -> Sources:
        """What contracts cite and bindings name."""
        return read_sources(self.folder, self.own, self.bindings)

    @cached_property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Those in its contracts."""
        return find_placeholders(self.own)

    @cached_property
    def scores(self) -> list[ContractScore]:
        """One for each of its contracts."""
        return [
            score_contract(
                contract,
                bindings=self.bindings,
                sources=self.sources,
                ran=self.ran,
                known=self.registry.contracts,
                placeholders=self.placeholders,
            )
            for contract in self.own
        ]

    @cached_property
    def linted(self) -> Report:
        """What lint finds in its contracts, with the lint settings of the project.

        Cited tests and functions without a contract are left to checks of their own.
        """
        settings = read_lint_settings(self.folder)
        return lint(
            [file.path for file in self.files],
            replace(settings, ignore=(*settings.ignore, "PV-VER-001", "reverse_coverage")),
            bindings=None if self.bindings.path is None else self.bindings,
            sources=(self.folder,),
            evidence=self.results,
        )

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What ran, as far as it still counts."""
        return load_evidence(self.evidence_file or evidence_file(self.folder), self.folder)

    @cached_property
    def ran(self) -> Ran:
        """The same, by what contracts cite."""
        return gather(self.results)

    def _is_test(self, path: Path) -> bool:
        named = path.stem.startswith("test_") or path.stem.endswith("_test")
        inside = Path(os.path.relpath(path, self.folder)).parts[:-1]
        return named or path.name == "conftest.py" or "tests" in inside


def contracts_of(function: SourceFunction) -> list[tuple[str, str]]:
    """Contract and equation of each decorator that names them as constants."""
    return [
        (each.contract, each.equation)
        for each in function.decorations
        if each.contract is not None and each.equation is not None
    ]


def _contract_folders(folder: Path, depth: int) -> Iterator[Path]:
    """Folders `contracts` that are at most so deep and hold YAML files."""
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith(".") or path.name in _SKIPPED:
            continue
        if path.name == "contracts" and any(path.rglob("*.y*ml")):
            yield path
        elif depth > 1:
            yield from _contract_folders(path, depth - 1)
