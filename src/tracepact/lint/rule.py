"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracepact.types import SourceLocation

Severity: TypeAlias = Literal["error", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""From what fails a run to what is only said."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to write at the place of a finding.

    `replace` puts a text in place of the key or value that begins there, `add` a field
    (`name: text`) into the map that does, and `remove` takes away the comment.
    """

    how: Literal["replace", "add", "remove"]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that may be wrong with contracts or with code; its texts are the documentation.

    Attributes:
        id: Stable for ever, `PV-FAMILY-NNN` or `CB-NNNN`; selections and suppressions name it.
        severity: Of its findings, unless one says otherwise.
        name: The defect in words, `like-this`.
        what: What it finds, in Markdown.
        why: What goes wrong when nobody looks.
        bad: Lines of a contract that it finds.
        good: The same lines as they ought to be.
        language: Of the lines, for documents.
    """

    id: str
    severity: Severity
    name: str
    what: str
    why: str
    bad: str
    good: str
    language: str = "yaml"

    def at(
        self,
        location: SourceLocation,
        message: str,
        hint: str = "",
        *,
        contract: str = "",
        equation: str = "",
        severity: Severity | None = None,
        remedy: Remedy | None = None,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            rule=self,
            message=message,
            hint=hint,
            location=location,
            contract=contract,
            equation=equation,
            severity=severity or self.severity,
            remedy=remedy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a rule does not hold.

    Attributes:
        message: What is wrong, on one line.
        hint: What to do next.
        location: Line and column in characters, from 1.
        contract: Stem of the contract, "" where it is about none.
        equation: Its equation, "" where it is about the whole contract.
        suppressed: A comment in the file says that somebody knows.
        known: A baseline has it already.
        remedy: What to write instead, if that can be said.
    """

    rule: Rule
    message: str
    hint: str
    location: SourceLocation
    contract: str
    equation: str
    severity: Severity
    suppressed: bool = False
    known: bool = False
    remedy: Remedy | None = None

    @property
    def open(self) -> bool:
        """Whether it counts: nobody accepted it, and no baseline has it."""
        return not self.suppressed and not self.known
