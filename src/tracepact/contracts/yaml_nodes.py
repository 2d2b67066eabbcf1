"""The tree of a YAML file: scalars keep the text they were written with, and their positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(slots=True, eq=False)
class Positioned:
    """Something with a position; marks are read only where one is wanted, most never are."""

    start: Any

    @property
    def line(self) -> int:
        """Line, from 1."""
        return int(self.start.line) + 1

    @property
    def column(self) -> int:
        """Column in characters, from 1."""
        return int(self.start.column) + 1


@dataclass(slots=True, eq=False)
class ScalarNode(Positioned):
    """A text; `plain` when written without quotes, tag or block indicator."""

    text: str
    plain: bool
    end: Any
    style: str | None
    size: ClassVar[int] = 1
    height: ClassVar[int] = 0

    @property
    def is_null(self) -> bool:
        """Whether the file leaves the value out (nothing, `~` or `null`)."""
        return self.plain and self.text in _NULLS

    @property
    def text_offset(self) -> int:
        """Columns from the node's start to its text: 1 behind a quote, else 0."""
        return 1 if self.style in ("'", '"') else 0

    @property
    def verbatim(self) -> bool:
        """Whether the text stands in the file on one line, character by character."""
        width = self.end.column - self.start.column - 2 * self.text_offset
        return bool(self.start.line == self.end.line and width == len(self.text))


@dataclass(slots=True, eq=False)
class ListNode(Positioned):
    """A sequence; `size` counts all nodes below and itself, `height` the levels."""

    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1
    is_null: ClassVar[bool] = False


@dataclass(slots=True, eq=False)
class MapNode(Positioned):
    """A mapping by the text of its keys; of equal keys the first counts."""

    entries: dict[str, tuple[ScalarNode, Node]] = field(default_factory=dict)
    size: int = 1
    height: int = 1
    is_null: ClassVar[bool] = False


Node: TypeAlias = ScalarNode | ListNode | MapNode
