"""What a contract says, as frozen values; every part knows where in its file it stands.

Texts that a file leaves out are empty strings, numbers are None, lists are empty tuples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracepact.types import SourceLocation

KINDS = ("kernel", "registry", "model-family", "pattern", "schema")

ENFORCEMENT_LEVELS = ("basic", "standard", "strict", "proven")
"""From the least that is asked of a contract to the most."""

OBLIGATION_TYPES = (
    "invariant",
    "equivalence",
    "bound",
    "monotonicity",
    "idempotency",
    "linearity",
    "symmetry",
    "associativity",
    "conservation",
    "ordering",
    "completeness",
    "soundness",
    "involution",
    "determinism",
    "roundtrip",
    "state_machine",
    "classification",
    "independence",
    "termination",
    "precondition",
    "postcondition",
    "frame",
    "loop_invariant",
    "loop_variant",
    "old_state",
    "subcontract",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that tracepact cannot use, and what to do about it.

    `instead` is the name that was probably meant by the text at that place, "" if none is near.
    """

    location: SourceLocation
    message: str
    hint: str = ""
    instead: str = ""

    def __str__(self) -> str:
        """One line: `file:line:column: what; what next`."""
        return f"{self.location}: {self.message}" + (f"; {self.hint}" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who wrote a contract, from which sources, and which other contracts (stems) it builds on.

    `enforcement_level` is one of `ENFORCEMENT_LEVELS` that the contract claims to reach,
    `locked_level` one that it must never fall below; "" where it says nothing.
    """

    version: str = ""
    created: str = ""
    author: str = ""
    description: str = ""
    references: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    kind: str = "kernel"
    enforcement_level: str = ""
    locked_level: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """A predicate as written.

    `location` is where the text itself starts, behind any quote. `verbatim` says that the text
    stands there on one line, character by character, so that offsets into it are columns.
    """

    text: str
    location: SourceLocation
    verbatim: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions that a tensor is said to have, each as written."""

    name: str
    dims: tuple[str, ...]
    location: SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an equation or a contract assumes of others, or guarantees to them.

    `from_contract` (a stem) and `from_equation` name who is to guarantee what is assumed.
    """

    shapes: tuple[Shape, ...] = ()
    constraints: tuple[Clause, ...] = ()
    from_contract: str = ""
    from_equation: str = ""
    location: SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """One formula, with the predicates that hold before and after it is computed."""

    name: str
    description: str = ""
    formula: str = ""
    domain: str = ""
    codomain: str = ""
    invariants: tuple[str, ...] = ()
    preconditions: tuple[Clause, ...] = ()
    postconditions: tuple[Clause, ...] = ()
    tolerance: float | None = None
    lean_theorem: str = ""
    assumes: Terms | None = None
    guarantees: Terms | None = None
    location: SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """A property that somebody has to show; `formal` states it precisely."""

    type: str
    property: str
    formal: str = ""
    tolerance: float | None = None
    applies_to: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    lean: Mapping[str, Any] | None = field(default=None, hash=False)
    id: str = ""
    location: SourceLocation

    def covers(self, equation: str) -> bool:
        """Whether this obligation is about that equation: by name, by `all`, or by silence."""
        return not self.applies_to or "all" in self.applies_to or equation in self.applies_to


@dataclass(frozen=True, slots=True, kw_only=True)
class FalsificationTest:
    """A prediction that a test tries to refute, and what it means when it succeeds."""

    id: str
    rule: str = ""
    prediction: str = ""
    test: str = ""
    if_fails: str = ""
    location: SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """A bounded check of one obligation for all inputs up to a size of `bound`."""

    id: str
    obligation: str = ""
    property: str = ""
    bound: int | None = None
    strategy: str = ""
    solver: str = ""
    harness: str = ""
    location: SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One contract file; `stem`, its file name without the suffix, is its id.

    `sections` has every other top-level section as plain data (dict, list, str, int, float,
    bool, None): kernel_structure, simd_dispatch, enforcement, qa_gate and so on.
    """

    stem: str
    path: Path
    metadata: Metadata
    equations: Mapping[str, Equation] = field(hash=False)
    obligations: tuple[Obligation, ...]
    falsification_tests: tuple[FalsificationTest, ...]
    harnesses: tuple[Harness, ...]
    assumes: Terms | None = None
    guarantees: Terms | None = None
    sections: Mapping[str, Any] = field(hash=False)
