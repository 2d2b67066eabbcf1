"""Comments that accept a finding: `# tracepact: ignore[RULE] until 2027-01-01`.

At the end of a line, a comment is about that line; on a line of its own, about the next one;
`ignore-file[RULE]` is about the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from tracepact.contracts.problem_log import quoted
from tracepact.lint.rule import Finding, Remedy, Rule
from tracepact.lint.source import LintFile
from tracepact.types import SourceLocation

STALE: Final = Rule(
    id="PV-SUP-001",
    severity="warning",
    name="stale-suppression",
    what="A comment `tracepact: ignore[RULE]` that suppresses nothing, names no rule, or whose "
    "date is over. It is only judged where its rules ran.",
    why="It would hide the next finding of its rule, which nobody has seen.",
    bad="version: 1.0.0  # tracepact: ignore[PV-VAL-001]",
    good="depends_on: [planned-v1]  # tracepact: ignore[COMPOSITION-002] until 2027-06-30",
)

_COMMENT: Final = re.compile(
    r"(?:^|\s)(?P<start>#)\s*tracepact:\s*ignore(?P<file>-file)?\[(?P<rules>[^\]]*)\]"
    r"(?:\s+until\s+(?P<until>\S+))?"
)


@dataclass(eq=False)
class _Suppression:
    place: SourceLocation
    rules: list[str]
    line: int | None
    until: str
    used: bool = False

    def covers(self, finding: Finding) -> bool:
        same_line = self.line in (None, finding.location.line)
        return same_line and finding.rule.id in self.rules


def apply(
    file: LintFile, findings: Iterable[Finding], ran: Set[str], known: Set[str], today: date
) -> Iterator[Finding]:
    """The findings of one file, marked where a comment accepts them, and stale comments.

    Args:
        file: Where they are.
        findings: All of that file.
        ran: Ids of the rules that were looked for in it.
        known: Ids of all rules.
        today: What dates are compared with.
    """
    comments = list(_read(file))
    for finding in findings:
        covering = [one for one in comments if one.covers(finding)]
        for one in covering:
            one.used = True
        valid = any(_is_valid(one.until, today) for one in covering)
        yield replace(finding, suppressed=True) if valid else finding
    if STALE.id in ran:
        for one in comments:
            said = _stale(one, ran, known, today)
            if said is not None:
                idle = one.rules and not one.used and set(one.rules) <= ran
                remedy = Remedy("remove") if idle else None
                yield STALE.at(one.place, *said, contract=file.stem, remedy=remedy)


def _read(file: LintFile) -> Iterator[_Suppression]:
    if b"tracepact:" not in (file.data or b""):
        return
    for number, line in enumerate(file.lines, 1):
        match = _COMMENT.search(line)
        if match is None:
            continue
        own_line = not line[: match.start("start")].strip()
        about = None if match["file"] else number + own_line
        place = SourceLocation(file.start.file, number, match.start("start") + 1)
        rules = [name.strip() for name in match["rules"].split(",") if name.strip()]
        yield _Suppression(place, rules, about, match["until"] or "")


def _is_valid(until: str, today: date) -> bool:
    try:
        return not until or today <= date.fromisoformat(until)
    except ValueError:
        return False


def _stale(
    one: _Suppression, ran: Set[str], known: Set[str], today: date
) -> tuple[str, str] | None:
    unknown = [name for name in one.rules if name not in known]
    if unknown or not one.rules:
        named = ", ".join(map(quoted, unknown)) or "nothing"
        return f"suppresses {named}, which is no rule", "name rules as tracepact lint --rules does"
    if not _is_valid(one.until, today):
        return (
            f"suppression until {quoted(one.until)} is over",
            "correct what it hides, or renew it",
        )
    if not one.used and set(one.rules) <= ran:
        return f"suppresses nothing ({', '.join(one.rules)})", "remove the comment"
    return None
