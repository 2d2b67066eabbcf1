"""Reading typed values out of a YAML tree; what has the wrong type becomes a problem."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tracepact.contracts.problem_log import ProblemLog, did_you_mean, nearest, quoted, shortened
from tracepact.contracts.yaml_nodes import ListNode, MapNode, Node, ScalarNode

_T = TypeVar("_T")

_MAX_DIGITS = 40
# YAML 1.2 writes: unlike YAML 1.1, `1e-5` is a number, and `yes`, `1:30` and dates are texts.
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    "true": True,
    "false": False,
    ".inf": math.inf,
    "+.inf": math.inf,
    "-.inf": -math.inf,
    ".nan": math.nan,
}


class Fields:
    """The fields of one mapping. `finish` reports those that nobody asked for."""

    def __init__(self, node: MapNode, where: str, log: ProblemLog) -> None:
        self.node = node
        self.where = where
        self.log = log
        self._known: set[str] = set()
        self._asked: set[str] = set()

    def take(self, *names: str) -> Node | None:
        """The first of these fields that has a value; all of them count as asked for.

        The first name is the documented one, which hints will name.
        """
        self._known.add(names[0])
        self._asked.update(names)
        for name in names:
            entry = self.node.entries.get(name)
            if entry is not None and not entry[1].is_null:
                return entry[1]
        return None

    def text(self, *names: str) -> str:
        """A text, or "" when there is none; a number or a date is the text it is written as."""
        node = self.take(*names)
        if type(node) is ScalarNode:  # nearly always; the rest would say the same
            return node.text.strip()
        return "" if node is None else as_text(node, self.path(names[0]), self.log) or ""

    def texts(self, *names: str) -> tuple[str, ...]:
        """A list of texts; a lone text is a list of one, a map a list of `key: value`."""
        node = self.take(*names)
        return () if node is None else as_texts(node, self.path(names[0]), self.log)

    def tolerance(self, name: str) -> float | None:
        """A finite number ≥ 0, quoted or not, in any notation of a float."""
        return self._number(name, _tolerance, "a finite number ≥ 0 such as 1e-6")

    def integer(self, name: str) -> int | None:
        """A whole number, quoted or not."""
        return self._number(name, _integer, "a whole number such as 8")

    def finish(self) -> None:
        """Report every field that was not asked for."""
        for name, (key, _) in self.node.entries.items():
            if self.log.full:
                return
            if name not in self._asked:
                hint, instead = did_you_mean(name, self._known), nearest(name, self._known)
                message = f"{self.where}: unknown field {quoted(name)}"
                self.log.add(key, message, hint, instead)

    def path(self, name: str) -> str:
        """Where in the document that field is, for messages."""
        return f"{self.where}.{name}"

    def _number(self, name: str, parse: Callable[[str], _T | None], expected: str) -> _T | None:
        node = self.take(name)
        if node is None:
            return None
        value = parse(node.text) if isinstance(node, ScalarNode) else None
        if value is None:
            wrong_type(node, self.path(name), expected, self.log)
        return value


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a section of records; `name` is its key, if the file gives it one."""

    name: str
    node: Node
    where: str


def records(node: Node, where: str, known: frozenset[str]) -> Iterator[Record]:
    """The entries of a section, however it is written.

    A list of maps, a list of one-key maps (`- id: {...}`), a map with ids as keys, a single map
    (recognised by its `known` fields), or texts in place of maps.
    """
    if isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            name, content = _unlabel(item, known)
            yield Record(name, content, f"{where}[{index}]")
    elif isinstance(node, MapNode) and not known & node.entries.keys():
        for name, (_, value) in node.entries.items():
            yield Record(name, value, f"{where}.{shortened(name)}")
    elif not node.is_null:
        yield Record("", node, where)


def as_text(node: Node, where: str, log: ProblemLog) -> str | None:
    """The text of a scalar, or of a sentence that an unquoted colon turned into a map."""
    if isinstance(node, ScalarNode):
        return "" if node.is_null else node.text.strip()
    if isinstance(node, MapNode) and len(node.entries) == 1:
        (name, (_, value)) = next(iter(node.entries.items()))
        if isinstance(value, ScalarNode):
            return _sentence(name, value)
    wrong_type(node, where, "a text", log)
    return None


def as_texts(node: Node, where: str, log: ProblemLog) -> tuple[str, ...]:
    """All texts of a list, of a map, or of a lone scalar; empty ones are left out."""
    if isinstance(node, ListNode):
        found = [as_text(item, f"{where}[{i}]", log) for i, item in enumerate(node.items)]
    elif isinstance(node, MapNode):
        found = [
            _sentence(name, value)
            if isinstance(value, ScalarNode)
            else as_text(value, f"{where}.{shortened(name)}", log)
            for name, (_, value) in node.entries.items()
        ]
    else:
        found = [as_text(node, where, log)]
    return tuple(text for text in found if text)


def as_data(node: Node) -> Any:
    """Plain data: dict, list, str, int, float, bool, None. Depth is bounded by the tree's."""
    if isinstance(node, ListNode):
        return [as_data(item) for item in node.items]
    if isinstance(node, MapNode):
        return {name: as_data(value) for name, (_, value) in node.entries.items()}
    if node.is_null:
        return None
    return _scalar(node.text) if node.plain else node.text


def wrong_type(node: Node, where: str, expected: str, log: ProblemLog) -> None:
    """Report a value that is not what it should be."""
    if isinstance(node, ScalarNode):
        found = quoted(node.text)
    else:
        found = "a list" if isinstance(node, ListNode) else "a map"
    log.add(node, f"{where}: expected {expected}, found {found}", "correct or remove it")


def _unlabel(item: Node, known: frozenset[str]) -> tuple[str, Node]:
    if isinstance(item, MapNode) and len(item.entries) == 1:
        (name, (_, value)) = next(iter(item.entries.items()))
        if name not in known:
            return name, value
    return "", item


def _sentence(name: str, value: ScalarNode) -> str:
    return name if value.is_null else f"{name}: {value.text.strip()}"


def _tolerance(text: str) -> float | None:
    try:
        value = float(text) if len(text) <= _MAX_DIGITS else math.nan
    except ValueError:
        return None
    return value if 0.0 <= value < math.inf else None


def _integer(text: str) -> int | None:
    return int(text) if len(text) <= _MAX_DIGITS and _INTEGER.match(text.strip()) else None


def _scalar(text: str) -> str | int | float | bool:
    if len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return _WORDS.get(text.lower(), text)
