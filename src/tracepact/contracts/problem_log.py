"""Collecting the problems of one file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tracepact.contracts.model import Problem
from tracepact.types import SourceLocation

MAX_PROBLEMS = 1_000
_MAX_QUOTED = 60
_MAX_LISTED = 50


class Place(Protocol):
    """Anything with a position in the file."""

    @property
    def line(self) -> int:
        """Line, from 1."""

    @property
    def column(self) -> int:
        """Column in characters, from 1."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that is no node of the tree."""

    line: int
    column: int

    @classmethod
    def at(cls, text: str, offset: int) -> Spot:
        """The place of the character with that offset."""
        return cls(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class ProblemLog:
    """The problems of one file, in the order found; the same one is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: dict[Problem, None] = {}

    @property
    def full(self) -> bool:
        """Whether further problems are dropped, so that looking for hints is wasted work."""
        return len(self._problems) >= MAX_PROBLEMS

    @property
    def problems(self) -> list[Problem]:
        """What was added so far."""
        return list(self._problems)

    def locate(self, place: Place | None) -> SourceLocation:
        """The place as a location; None is the start of the file."""
        if place is None:
            return SourceLocation(self.file, 1, 1)
        return SourceLocation(self.file, place.line, place.column)

    def add(self, place: Place | None, message: str, hint: str = "", instead: str = "") -> None:
        """Keep a problem, unless it is known already or there are too many."""
        if len(self._problems) == MAX_PROBLEMS - 1:
            message, hint = f"more than {MAX_PROBLEMS - 1} problems; the rest is not listed", ""
            instead = ""
        if not self.full:
            self._problems[Problem(self.locate(place), message, hint, instead)] = None


def quoted(text: str) -> str:
    """The text in quotes, on one line, cut when it is long: messages stay short."""
    return repr(text if len(text) <= _MAX_QUOTED else text[: _MAX_QUOTED - 1] + "…")


def shortened(name: str) -> str:
    """The same without the quotes, for names in paths and lists."""
    return quoted(name)[1:-1]


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant; "" if none is near, or two are as near."""
    near = _near(name, sorted(known))
    shares = [difflib.SequenceMatcher(None, one, name).ratio() for one in near]
    return near[0] if near and shares.count(shares[0]) == 1 else ""


def _near(name: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=2) if len(name) <= _MAX_QUOTED else []


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest known name if one is near, and the known names."""
    names = sorted(known)
    near = _near(name, names)
    question = f"did you mean {near[0]!r}? " if near else ""
    listed = [shortened(name) for name in names[:_MAX_LISTED]]
    if len(names) > _MAX_LISTED:
        listed.append("…")
    return f"{question}known: {', '.join(listed) or 'none'}"
