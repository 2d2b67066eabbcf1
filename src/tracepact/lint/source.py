"""The contract files of a run: text, tree, contract, and where in the text something stands."""

from __future__ import annotations

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
        there = [one for one in _read(files) if one.path.resolve() not in found]
        readable = ((one.path, one.data) for one in there if one.data is not None)
        held = {one.path: one for one in open_files(root, readable)}
        for one in there:
            one.held = held.get(one.path)
            found[one.path.resolve()] = one
        for problem in problems:
            place = Path(problem.location.file)
            found[place.resolve()] = LintFile(place, None, unread=[problem])
    return list(found.values())


def _read(files: Iterable[Path]) -> Iterator[LintFile]:
    for path in files:
        log = ProblemLog(display_name(path))
        data = read_bytes(path, log)
        yield LintFile(path, data, unread=log.problems)
