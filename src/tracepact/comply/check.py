"""What a check is, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tracepact.comply.project import Project
from tracepact.lint.rule import Finding, Rule

Status: TypeAlias = Literal["passed", "warned", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check; its status follows from what it found.

    Attributes:
        summary: What was looked at, in figures; of a skipped check, why and what to do about it.
    """

    summary: str
    findings: tuple[Finding, ...] = ()
    is_skipped: bool = False

    @property
    def status(self) -> Status:
        """An error fails, a warning warns."""
        if self.is_skipped:
            return "skipped"
        severities = {finding.severity for finding in self.findings}
        if "error" in severities:
            return "failed"
        return "warned" if "warning" in severities else "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check; each module of `checks` has one, called `CHECK`.

    Attributes:
        rule: Of its findings; its texts are the documentation.
        title: What is true where it passes.
        warns: When it warns, for the documentation; "" where it never does.
        fails: The same of failing.
        skips: The same of being skipped.
        run: Looks at a project.
    """

    rule: Rule
    title: str
    warns: str
    fails: str
    skips: str
    run: Callable[[Project], Verdict]


def judged(summary: str, findings: Iterable[Finding]) -> Verdict:
    """The verdict of a check that could look."""
    return Verdict(summary, tuple(findings))


def skipped(reason: str) -> Verdict:
    """The verdict of a check that has nothing to look at."""
    return Verdict(reason, is_skipped=True)


def percent(part: int, whole: int) -> float:
    """A share in percent; of nothing, all."""
    return 100 * part / whole if whole else 100.0


def count(number: int, noun: str) -> str:
    """`1 contract`, `2 contracts`."""
    return f"{number} {noun}{'s' * (number != 1)}"
