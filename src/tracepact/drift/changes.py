"""What may change in a contract, whom it harms, and so which version it demands."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tracepact.drift.bump import Bump, Party
from tracepact.types import SourceLocation

_MAJOR, _MINOR, _PATCH = Bump.MAJOR, Bump.MINOR, Bump.PATCH


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """A kind of change.

    Attributes:
        callers: What it demands for those who rely on the contract.
        implementers: What it demands for those who have to keep it.
        reason: Why.
    """

    name: str
    callers: Bump
    implementers: Bump
    reason: str

    def bump(self, party: Party = Party.BOTH) -> Bump:
        """What it demands for somebody; for both, the higher one."""
        match party:
            case Party.CALLERS:
                return self.callers
            case Party.IMPLEMENTERS:
                return self.implementers
            case _:
                return max(self.callers, self.implementers)


def _both(name: str, bump: Bump, reason: str) -> ChangeKind:
    return ChangeKind(name, bump, bump, reason)


def _promise(what: str, more: str, less: str, gains: str, loses: str) -> tuple[ChangeKind, ...]:
    """More of it harms those who keep the contract, less of it those who rely on it."""
    return (
        ChangeKind(f"{what}-{more}", _MINOR, _MAJOR, gains),
        ChangeKind(f"{what}-{less}", _MAJOR, _MINOR, loses),
    )


_KINDS: Final = (
    _both("contract-added", _MINOR, "nobody has it yet"),
    _both("contract-removed", _MAJOR, "whoever names it finds nothing"),
    _both("kind-changed", _MINOR, "the kind decides what lint and score ask for"),
    _both("dependency-added", _MINOR, "another contract has to be there"),
    _both("dependency-removed", _MINOR, "another contract need not be there any more"),
    *_promise(
        "level", "raised", "lowered",
        "more has to be enforced than was", "less is enforced than was",
    ),
    _both("equation-added", _MINOR, "nobody computes it yet"),
    _both("equation-removed", _MAJOR, "bindings and calls that name it find nothing"),
    _both("equation-renamed", _MAJOR, "bindings and calls that name it find nothing"),
    _both("formula-changed", _MAJOR, "something else is to be computed"),
    _both("domain-changed", _MINOR, "prose: whether it says something else, people decide"),
    _both("codomain-changed", _MINOR, "prose: whether it says something else, people decide"),
    _both("invariant-added", _MINOR, "prose: nothing checks it"),
    _both("invariant-removed", _MINOR, "prose: nothing checks it"),
    ChangeKind("field-added", _MINOR, _MAJOR, "producers have to hand it in"),
    _both("field-removed", _MAJOR, "what is handed in under that name is not looked at"),
    _both("field-renamed", _MAJOR, "what is handed in under the old name is not looked at"),
    ChangeKind("precondition-added", _MAJOR, _MINOR, "calls that were right may be refused"),
    ChangeKind("precondition-tightened", _MAJOR, _MINOR, "calls that were right may be refused"),
    ChangeKind("precondition-removed", _MINOR, _MAJOR, "inputs come that never came before"),
    ChangeKind("precondition-loosened", _MINOR, _MAJOR, "inputs come that never came before"),
    _both("precondition-changed", _MAJOR, "neither the one nor the other implies it"),
    *_promise(
        "postcondition", "added", "removed",
        "results that were right may violate it", "a guarantee is gone",
    ),
    *_promise(
        "postcondition", "tightened", "loosened",
        "results that were right may violate it", "the guarantee is weaker",
    ),
    _both("postcondition-changed", _MAJOR, "neither the one nor the other implies it"),
    *_promise(
        "tolerance", "tightened", "loosened",
        "results that were near enough may not be", "results may be further off",
    ),
    *_promise(
        "obligation", "added", "removed",
        "there is more to show", "it need not hold any more",
    ),
    *_promise(
        "obligation", "tightened", "loosened",
        "there is more to show", "less holds than did",
    ),
    _both("obligation-changed", _MAJOR, "something else has to be shown"),
    _both("theorem-changed", _MINOR, "the proof that is cited is another one"),
    _both("test-added", _MINOR, "there is one more test to pass"),
    _both("test-removed", _MINOR, "less is tested"),
    _both("test-changed", _MINOR, "another test is cited"),
    _both("harness-added", _MINOR, "there is one more bounded check to pass"),
    _both("harness-removed", _MINOR, "less is checked"),
    _both("harness-changed", _MINOR, "another check, or another bound"),
    _both("section-added", _MINOR, "tools that read the section find more"),
    _both("section-removed", _MINOR, "tools that read the section find less"),
    _both("section-changed", _MINOR, "tools that read the section find something else"),
    _both("prose-changed", _PATCH, "nobody computes or checks anything else"),
)  # fmt: skip

CHANGE_KINDS: Final = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every kind of change by name, in the order in which they are documented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two versions of a contract.

    Attributes:
        kind: A name in `CHANGE_KINDS`.
        subject: What changed: an equation, an obligation, a field of the metadata.
        before: What it was; "" for what is new.
        after: What it is; "" for what is gone.
        old: Where it stands, or would stand, in the old file; None where there is no such file.
        new: The same in the new file.
    """

    kind: str
    subject: str
    before: str = ""
    after: str = ""
    old: SourceLocation | None = None
    new: SourceLocation | None = None

    def bump(self, party: Party = Party.BOTH) -> Bump:
        """The version that it demands."""
        return CHANGE_KINDS[self.kind].bump(party)


def change_table() -> str:
    """The kinds of changes as a Markdown table."""
    lines = ["| change | callers | implementers | because |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{kind.name}` | {kind.callers} | {kind.implementers} | {kind.reason} |"
        for kind in CHANGE_KINDS.values()
    ]
    return "\n".join(lines) + "\n"
