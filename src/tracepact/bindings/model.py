"""What a binding file says, as frozen values; every entry knows where in the file it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from tracepact.contracts import Problem
from tracepact.contracts.files import display_name
from tracepact.types import SourceLocation

Status: TypeAlias = Literal["implemented", "partial", "pending", "not_implemented"]

STATUSES: Final[tuple[Status, ...]] = ("implemented", "partial", "pending", "not_implemented")
"""From done to missing."""

_OTHER_CHARACTERS = re.compile(r"[^A-Z0-9]")


def stem_of(contract: str) -> str:
    """The id of a contract, which may be written as its file name."""
    return contract.removesuffix(".yaml").removesuffix(".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One function that implements one equation, or is to implement it.

    Attributes:
        contract: Stem of the contract.
        module_path: Module that defines the function, `package.module`.
        function: Its name in the module, `function` or `Class.method`.
        signature: Its signature as the author sees it; text.
        location: Where the entry is written.
    """

    contract: str
    equation: str
    module_path: str
    function: str
    signature: str = ""
    status: Status
    notes: str = ""
    location: SourceLocation

    @property
    def variable(self) -> str:
        """Name under which the status surfaces: `CONTRACT_<STEM>_<EQUATION>`."""
        return "CONTRACT_" + _OTHER_CHARACTERS.sub("_", f"{self.contract}_{self.equation}".upper())

    @property
    def qualname(self) -> str:
        """The function, as entry points write it: `package.module:Class.method`."""
        return f"{self.module_path}:{self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """One binding file; `path` is None where there is none.

    Attributes:
        target: The package that implements.
        critical_path: Stems of the contracts that matter most.
        problems: What in the file cannot be used.
    """

    path: Path | None
    version: str = ""
    target: str = ""
    critical_path: tuple[str, ...] = ()
    entries: tuple[Binding, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def source(self) -> str:
        """The path as text, or "none"."""
        return "none" if self.path is None else display_name(self.path)

    def get(self, contract: str, equation: str) -> tuple[Binding, ...]:
        """Every entry of that equation; several functions may implement it."""
        key = stem_of(contract), equation
        return tuple(entry for entry in self.entries if (entry.contract, entry.equation) == key)
