"""Semantic versions: which one a change demands, and which one was given."""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from typing import Final

_VERSION: Final = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z"
)


class Bump(IntEnum):
    """How much of a version goes up."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Party(StrEnum):
    """Who holds on to a contract: those who rely on it, and those who have to keep it."""

    CALLERS = "callers"
    IMPLEMENTERS = "implementers"
    BOTH = "both"


def required_version(old: str, bump: Bump) -> str | None:
    """The least version after `old` that announces a change; None if `old` is no version.

    Before 1.0.0 the second number stands for what breaks, the third for everything else.
    """
    parts = _parts(old)
    if parts is None:
        return None
    return _text(_required(parts, bump))


def announces(old: str, new: str, bump: Bump) -> bool:
    """Whether `new` is high enough for a change of a contract that was at `old`.

    Both are versions. Leaving 0.x for 1.0.0 announces anything. A pre-release (`2.0.0-rc.1`) counts
    as the version that it leads to.
    """
    before, after = _parts(old), _parts(new)
    return before is not None and after is not None and after >= _required(before, bump)


def is_version(text: str) -> bool:
    """Whether a text is `MAJOR.MINOR.PATCH`, with or without what may follow it."""
    return _parts(text) is not None


def _required(parts: tuple[int, int, int], bump: Bump) -> tuple[int, int, int]:
    major, minor, patch = parts
    if major == 0 and bump > Bump.PATCH:
        bump = Bump(bump - 1)
    match bump:
        case Bump.MAJOR:
            return major + 1, 0, 0
        case Bump.MINOR:
            return major, minor + 1, 0
        case Bump.PATCH:
            return major, minor, patch + 1
        case _:
            return parts


def _parts(text: str) -> tuple[int, int, int] | None:
    found = _VERSION.match(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _text(parts: tuple[int, int, int]) -> str:
    return ".".join(map(str, parts))
