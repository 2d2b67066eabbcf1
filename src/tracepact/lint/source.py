"""The contract files of a run: text, tree, contract, and where in the text something stands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tracepact.contracts import Contract, Problem
from tracepact.contracts.cache import ContractFile, open_files
from tracepact.contracts.files import display_name, find_files, read_bytes
from tracepact.contracts.problem_log import ProblemLog
from tracepact.contracts.yaml_nodes import ListNode, MapNode, Node, ScalarNode
from tracepact.errors import ConfigError
from tracepact.types import SourceLocation


@dataclass(eq=False)
class LintFile:
    """One contract file; what is not asked for is not read again or parsed.

    Attributes:
        path: As it is reached from the current folder.
        data: Its content; None where it cannot be read.
    """

    path: Path
    data: bytes | None
    held: ContractFile | None = None
    unread: list[Problem] = field(default_factory=list)

    @property
    def contract(self) -> Contract | None:
        """The contract in it, or None."""
        return None if self.held is None else self.held.parsed()[0]

    @property
    def problems(self) -> list[Problem]:
        """What the loader could not use."""
        return self.unread if self.held is None else self.held.parsed()[1]

    @property
    def stem(self) -> str:
        """The id that its contract has."""
        return display_name(self.path.stem)

    @cached_property
    def lines(self) -> list[str]:
        """Its text, broken as YAML breaks lines."""
        text = (self.data or b"").decode("utf-8", "replace").removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @property
    def start(self) -> SourceLocation:
        """The beginning of the file."""
        return SourceLocation(display_name(self.path), 1, 1)

    def section(self, *names: str) -> SourceLocation:
        """Where the first of these top-level sections is named; else the start of the file."""
        return self._key(self._root, names) or self.start

    def value(self, record: SourceLocation, *names: str) -> SourceLocation:
        """Where the value of a field begins, of the record that stands at a place.

        Args:
            record: Place of a map of the file, as the model has it.
            names: Names of the field, of which the first that is there counts.

        Returns:
            The record's place where it has none of them.
        """
        node = self._maps.get((record.line, record.column or 1))
        for name in names:
            if node is not None and name in node.entries:
                key, value = node.entries[name]
                place = key if isinstance(value, MapNode | ListNode) or value.is_null else value
                return SourceLocation(record.file, place.line, place.column)
        return record

    def listed(self, record: SourceLocation, text: str, *names: str) -> SourceLocation:
        """Where a text stands in a field of a record that may be a list; see `value`."""
        node = self._maps.get((record.line, record.column or 1))
        for name in names:
            value = node.entries[name][1] if node is not None and name in node.entries else None
            for item in value.items if isinstance(value, ListNode) else ():
                if isinstance(item, ScalarNode) and item.text.strip() == text:
                    return SourceLocation(record.file, item.line, item.column)
        return self.value(record, *names)

    def map_at(self, place: SourceLocation) -> MapNode | None:
        """The map that begins at a place."""
        return self._maps.get((place.line, place.column or 1))

    def scalar_at(self, place: SourceLocation) -> tuple[ScalarNode, MapNode | None] | None:
        """The text that begins at a place, and, where it is a key, the map that it is a key of."""
        return self._scalars.get((place.line, place.column or 1))

    def is_inside_text(self, line: int) -> bool:
        """Whether a value that goes over several lines is on that one."""
        texts = (node for node, _ in self._scalars.values())
        return any(one.line <= line <= int(one.end.line) + 1 for one in texts if _is_tall(one))

    def item(self, section: str, name: str, index: int) -> SourceLocation:
        """Where entry `index` of the list `name` in a top-level section stands."""
        owner = self._root.entries.get(section) if self._root else None
        node = owner[1].entries.get(name) if owner and isinstance(owner[1], MapNode) else None
        if node and isinstance(node[1], ListNode) and index < len(node[1].items):
            item = node[1].items[index]
            return SourceLocation(display_name(self.path), item.line, item.column)
        return self.entry(section, name)

    def entry(self, section: str, name: str) -> SourceLocation:
        """Where a field of a top-level section is named; the section where it has none."""
        owner = self._root.entries.get(section) if self._root else None
        node = owner[1] if owner and isinstance(owner[1], MapNode) else None
        return self._key(node, (name,)) or self.section(section)

    def _key(self, node: MapNode | None, names: Iterable[str]) -> SourceLocation | None:
        for name in names:
            if node is not None and name in node.entries:
                key = node.entries[name][0]
                return SourceLocation(display_name(self.path), key.line, key.column)
        return None

    @cached_property
    def _root(self) -> MapNode | None:
        # Only files with findings get here, so that clean ones come from the cache alone.
        from tracepact.contracts.yaml_tree import parse_tree  # noqa: PLC0415 - as load.py does

        if self.data is None or b"\0" in self.data:
            return None
        text = self.data.decode("utf-8", "replace").removeprefix("\ufeff")
        root = parse_tree(text, ProblemLog(display_name(self.path)))
        return root if isinstance(root, MapNode) else None

    @cached_property
    def _scalars(self) -> dict[tuple[int, int], tuple[ScalarNode, MapNode | None]]:
        found: dict[tuple[int, int], tuple[ScalarNode, MapNode | None]] = {}
        pending: list[Node] = [] if self._root is None else [self._root]
        seen: set[int] = set()
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, ScalarNode):
                found.setdefault((node.line, node.column), (node, None))
            elif isinstance(node, ListNode):
                pending += node.items
            else:
                for key, value in node.entries.values():
                    found[key.line, key.column] = key, node
                    pending.append(value)
        return found

    @cached_property
    def _maps(self) -> dict[tuple[int, int], MapNode]:
        found: dict[tuple[int, int], MapNode] = {}
        pending: list[Node] = [] if self._root is None else [self._root]
        seen: set[int] = set()
        while pending:
            node = pending.pop()
            if isinstance(node, ScalarNode) or id(node) in seen:  # an alias is met again
                continue
            seen.add(id(node))
            if isinstance(node, ListNode):
                pending += node.items
            else:
                found[node.line, node.column] = node
                pending += [value for _, value in node.entries.values()]
        return found


def _is_tall(node: ScalarNode) -> bool:
    return bool(node.end.line > node.start.line)


def printable(text: str) -> str:
    """The text without characters that would move a cursor or start a line."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in text)


def relative(file: str) -> str:
    """A path as seen from the current folder, with forward slashes; absolute if not below it."""
    path = Path(os.path.abspath(file))
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def open_paths(paths: Iterable[Path]) -> list[LintFile]:
    """Contract files of files and folders, in order, each once.

    Raises:
        ConfigError: A path does not exist.
    """
    found: dict[Path, LintFile] = {}
    for root in paths:
        if not root.exists():
            raise ConfigError(f"{root} does not exist; name contract files, or folders of them")
        files, problems = find_files(root) if root.is_dir() else ([root], [])
        new: dict[Path, Path] = {}
        for path in files:
            place = path.resolve()
            if place not in found:
                new.setdefault(place, path)
        there = dict(zip(new, _read(new.values()), strict=True))
        readable = ((one.path, one.data) for one in there.values() if one.data is not None)
        held = {one.path: one for one in open_files(root, readable)}
        for one in there.values():
            one.held = held.get(one.path)
        found |= there
        for problem in problems:
            path = Path(problem.location.file)
            found[path.resolve()] = LintFile(path, None, unread=[problem])
    return list(found.values())


def _read(files: Iterable[Path]) -> Iterator[LintFile]:
    for path in files:
        log = ProblemLog(display_name(path))
        data = read_bytes(path, log)
        yield LintFile(path, data, unread=log.problems)
