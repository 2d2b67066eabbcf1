"""What is wrong with the text of a predicate, and where."""

from __future__ import annotations

from typing import Final

from tracepact.errors import ConfigError
from tracepact.types import SourceLocation

_EXCERPT: Final = 60
"""Characters that a message shows on either side of the mistake."""


class PredicateError(ConfigError):
    """A predicate cannot be understood.

    Attributes:
        reason: What is wrong, in one line.
        hint: What to do next, or an empty string.
        offset: Position in the predicate's text, counted from 0.
    """

    def __init__(
        self,
        reason: str,
        text: str,
        offset: int,
        *,
        hint: str = "",
        origin: SourceLocation | None = None,
    ) -> None:
        self.reason = reason
        self.hint = hint
        self.text = text
        self.offset = offset
        where = f"{origin}: " if origin else ""
        excerpt, column = _excerpt(text, offset)
        lines = [f"{where}{reason}", f"  {excerpt}", f"  {' ' * column}^"]
        if hint:
            lines.append(f"  {hint}")
        super().__init__("\n".join(lines))


def _excerpt(text: str, offset: int) -> tuple[str, int]:
    """The part of one line around the offset, and the column in it; fit for a terminal."""
    start = max(text.rfind("\n", 0, offset) + 1, offset - _EXCERPT)
    end = text.find("\n", offset)
    shown = text[start : min(len(text) if end < 0 else end, offset + _EXCERPT)]
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return printable, offset - start
