"""YAML text to a tree with positions, within fixed limits.

Built on the parser's events, not on its loader: no tag is ever constructed, an alias is a second
reference to the same node, and nesting is counted here, so a hostile file costs a bounded amount
of time and memory. Scalars keep the text they were written with; what reads them decides on types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.reader import Reader, ReaderError

from tracepact.contracts.problem_log import ProblemLog, Spot, quoted
from tracepact.contracts.yaml_nodes import ListNode, MapNode, Node, Positioned, ScalarNode

MAX_DEPTH = 64
MAX_NODES = 200_000
"""Nodes of one file, an alias counting as often as what it stands for."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")
)


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
        root = _parse(text, log)
    except _LimitError as error:
        log.add(Positioned(error.mark), str(error), "split the file; nothing of it is used")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        log.add(Positioned(mark) if mark else None, f"not valid YAML: {what}", _SYNTAX_HINT)
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


def _parse(text: str, log: ProblemLog) -> Node | None:
    loader = _LOADER(text)
    try:
        return _Builder(log).build(loader.get_event)
    finally:
        loader.dispose()


class _Frame:
    """A collection that is still open, and in a mapping the key that waits for its value."""

    __slots__ = ("anchor", "key", "node", "nodes_before")

    def __init__(self, node: ListNode | MapNode, anchor: str | None, nodes_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.key: Node | None = None


class _Builder:
    def __init__(self, log: ProblemLog) -> None:
        self._log = log
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._root: Node | None = None

    def build(self, next_event: Callable[[], Any]) -> Node | None:
        documents = 0
        while (event := next_event()) is not None:
            # Both parsers make events of exactly these types; most are scalars.
            kind = type(event)
            if kind is ScalarEvent:
                node = ScalarNode(
                    event.start_mark, event.value, event.implicit[0], event.end_mark, event.style
                )
                if event.tag is not None:
                    self._refuse_tag(event)
                if event.anchor is not None:
                    self._anchors[event.anchor] = node
                self._count(event, 1)
                self._attach(node)
            elif kind is MappingStartEvent:
                self._open(event, MapNode(event.start_mark))
            elif kind is SequenceStartEvent:
                self._open(event, ListNode(event.start_mark))
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    place = Positioned(event.start_mark)
                    self._log.add(place, "a second document starts", "keep one contract per file")
                    break
        return self._root

    def _open(self, event: Any, node: ListNode | MapNode) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _LimitError(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None:
            self._refuse_tag(event)
        self._stack.append(_Frame(node, event.anchor, self._nodes))
        self._count(event, 1)

    def _close(self) -> None:
        frame = self._stack.pop()
        node = frame.node
        node.size = self._nodes - frame.nodes_before
        if frame.anchor is not None:
            # Known only from here on: an alias inside its own target stays undefined.
            self._anchors[frame.anchor] = node
        self._attach(node)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._log.add(
                Positioned(event.start_mark),
                f"alias {quoted('*' + event.anchor)} has no complete anchor before it",
                "define the anchor first, or quote the text if no alias is meant",
            )
            node = ScalarNode(event.start_mark, "", True, event.end_mark, None)
        if len(self._stack) + node.height > MAX_DEPTH:
            raise _LimitError(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        self._count(event, node.size)
        self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        if node.height >= parent.height:
            parent.height = node.height + 1
        if type(parent) is ListNode:
            parent.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._enter(parent, frame.key, node)
            frame.key = None

    def _enter(self, parent: Any, key: Node, value: Node) -> None:
        if type(key) is not ScalarNode:
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

    def _count(self, event: Any, size: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise _LimitError(event.start_mark, f"more than {MAX_NODES} values, counting aliases")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag not in _CORE_TAGS and event.tag != "!":
            self._log.add(
                Positioned(event.start_mark),
                f"tag {quoted(event.tag)} is ignored",
                "tracepact builds no objects from tags; remove it",
            )
