"""YAML text to a tree with positions, within fixed limits.

Built on the parser's events, not on its loader: no tag is ever constructed, an alias is a second
reference to the same node, and nesting is counted here, so a hostile file costs a bounded amount
of time and memory. Scalars keep the text they were written with; what reads them decides on types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import yaml
from yaml.reader import Reader, ReaderError

from tracepact.contracts.problem_log import ProblemLog, Spot, quoted

MAX_DEPTH = 64
MAX_NODES = 200_000
"""Nodes of one file, an alias counting as often as what it stands for."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")
)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(slots=True, eq=False)
class _Positioned:
    # Marks are read only where a position is wanted; most scalars never are.
    start: Any

    @property
    def line(self) -> int:
        return int(self.start.line) + 1

    @property
    def column(self) -> int:
        return int(self.start.column) + 1


@dataclass(slots=True, eq=False)
class ScalarNode(_Positioned):
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
class ListNode(_Positioned):
    """A sequence; `size` counts all nodes below, `height` the levels."""

    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class MapNode(_Positioned):
    """A mapping by the text of its keys; of equal keys the first counts."""

    entries: dict[str, tuple[ScalarNode, Node]] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node: TypeAlias = ScalarNode | ListNode | MapNode


class _LimitError(Exception):
    """A limit was passed at `mark`; parsing stops."""

    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.mark = mark


def parse_tree(text: str, log: ProblemLog) -> Node | None:
    """The first document of a YAML text; None, with a problem, when it has none.

    O(length of the text); at most `MAX_NODES` nodes and `MAX_DEPTH` levels. Never raises.
    """
    try:
        root = _Builder(log).build(yaml.parse(text, Loader=_LOADER))
    except _LimitError as error:
        log.add(_Positioned(error.mark), str(error), "split the file; nothing of it is used")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        log.add(_Positioned(mark) if mark else None, f"not valid YAML: {what}", _SYNTAX_HINT)
    except ReaderError:
        found = Reader.NON_PRINTABLE.search(text)
        place = Spot.at(text, found.start()) if found else None
        log.add(place, "control character in the text", "remove it")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The Python parser lets some escapes (\\UFFFFFFFF) fail in chr().
        log.add(None, f"not valid YAML: {quoted(str(error))}", _SYNTAX_HINT)
    else:
        if root is None:
            log.add(None, "the file is empty", "write a contract or remove the file")
        return root
    return None


_SYNTAX_HINT = (
    "put texts with ': ', ' #' or a leading symbol in quotes; nothing of the file is used"
)


@dataclass(slots=True)
class _Frame:
    """A collection that is still open, and in a mapping the key that waits for its value."""

    node: ListNode | MapNode
    anchor: str | None
    key: Node | None = None


class _Builder:
    def __init__(self, log: ProblemLog) -> None:
        self._log = log
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._root: Node | None = None

    def build(self, events: Iterator[Any]) -> Node | None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    place = _Positioned(event.start_mark)
                    self._log.add(place, "a second document starts", "keep one contract per file")
                    break
        return self._root

    def _scalar(self, event: Any) -> None:
        node = ScalarNode(
            event.start_mark, event.value, event.implicit[0], event.end_mark, event.style
        )
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._count(event, node)
        self._attach(node)

    def _open(self, event: Any) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _LimitError(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None:
            self._refuse_tag(event)
        kind = MapNode if isinstance(event, yaml.MappingStartEvent) else ListNode
        node = kind(event.start_mark)
        self._count(event, node)
        self._stack.append(_Frame(node, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            # Known only from here on: an alias inside its own target stays undefined.
            self._anchors[frame.anchor] = frame.node
        self._attach(frame.node)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._log.add(
                _Positioned(event.start_mark),
                f"alias {quoted('*' + event.anchor)} has no complete anchor before it",
                "define the anchor first, or quote the text if no alias is meant",
            )
            node = ScalarNode(event.start_mark, "", True, event.end_mark, None)
        if len(self._stack) + node.height > MAX_DEPTH:
            raise _LimitError(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        self._count(event, node)
        self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._enter(parent, frame.key, node)
            frame.key = None

    def _enter(self, parent: MapNode, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            self._log.add(key, "a key must be a text", "quote it if it is one")
        elif key.text in parent.entries:
            first = parent.entries[key.text][0].line
            self._log.add(
                key,
                f"duplicate key {quoted(key.text)}",
                f"the one in line {first} counts; remove or rename this one",
            )
        else:
            parent.entries[key.text] = (key, value)

    def _count(self, event: Any, node: Node) -> None:
        self._nodes += node.size
        if self._nodes > MAX_NODES:
            raise _LimitError(event.start_mark, f"more than {MAX_NODES} values, counting aliases")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag not in _CORE_TAGS and event.tag != "!":
            self._log.add(
                _Positioned(event.start_mark),
                f"tag {quoted(event.tag)} is ignored",
                "tracepact builds no objects from tags; remove it",
            )
