"""Contracts as JSON and back, exactly: `decode` gives what `parse_contract` gave.

JSON holds no code, and every value is checked for its type when it is read. The annotations of
the model say how each field is read: only a field of a new type needs a line here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, TypeAlias, TypeVar

from tracepact.contracts.files import display_name
from tracepact.contracts.model import (
    Clause,
    Contract,
    Equation,
    FalsificationTest,
    Harness,
    Metadata,
    Obligation,
    Problem,
    Shape,
    Terms,
)
from tracepact.types import SourceLocation

_T = TypeVar("_T")
_Read: TypeAlias = Callable[[Any, str], Any]
"""From a JSON value and the name of the contract file to the value of a field."""

DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What `decode` raises for bytes that `encode` did not write."""


def encode(contract: Contract | None, problems: list[Problem], source: bytes) -> bytes:
    """Contract and problems of a file with that content.

    Raises:
        ValueError: They take far more space than the file, or a text has half a surrogate pair.
    """
    limit = 4 * len(source) + 4_096
    # Only aliases, which need an anchor, can make so much of a file that writing it would hurt.
    if b"&" in source and _size(contract) > limit:
        raise ValueError("too large to be kept")
    document = [contract, problems]
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    if len(data) > limit:
        raise ValueError("too large to be kept")
    return data


def decode(data: bytes, path: Path) -> tuple[Contract | None, list[Problem]]:
    """Contract and problems as they were parsed from a file of that path.

    Raises:
        DAMAGE: The bytes are something else.

    About 5 µs a record.
    """
    contract, problems = json.loads(data)
    file = display_name(path)
    found = [_record(Problem, problem, file) for problem in problems]
    if contract is None:
        return None, found
    stem = display_name(path.stem)
    return _record(Contract, contract, file, stem=stem, path=path), found


def _plain(value: Any) -> Any:
    values_of = _VALUES_OF.get(type(value))
    return dict(value) if values_of is None else values_of(value)


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + _size(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return _size(_plain(value)) if type(value) in _VALUES_OF else 1


def _record(kind: type[_T], values: Any, file: str, **known: Any) -> _T:
    for (name, read), value in zip(_FIELDS[kind], values, strict=True):
        known[name] = read(value, file)
    return kind(**known)


def _of_type(*types: type) -> _Read:
    def read(value: Any, file: str) -> Any:
        if type(value) not in types:
            raise TypeError(f"found {type(value)}")
        return value

    return read


def _record_of(kind: type) -> _Read:
    return lambda value, file: _record(kind, value, file)


def _tuple_of(read: _Read) -> _Read:
    return lambda value, file: tuple([read(entry, file) for entry in _list(value, file)])


def _equations(value: Any, file: str) -> Mapping[str, Equation]:
    found = {name: _record(Equation, entry, file) for name, entry in _map(value, file).items()}
    return MappingProxyType(found)


def _location(value: Any, file: str) -> SourceLocation:
    line, column = value
    return SourceLocation(file, _whole(line, file), _whole(column, file))


_text = _of_type(str)
_whole = _of_type(int)
_list = _of_type(list)
_map = _of_type(dict)

_READERS: dict[str, _Read] = {
    "str": _text,
    "bool": _of_type(bool),
    "int | None": _of_type(int, NoneType),
    "float | None": _of_type(float, NoneType),
    "tuple[str, ...]": _tuple_of(_text),
    "Mapping[str, Any]": lambda value, file: MappingProxyType(_map(value, file)),
    "Mapping[str, Any] | None": _of_type(dict, NoneType),
    "Mapping[str, Equation]": _equations,
    "Metadata": _record_of(Metadata),
    "Terms | None": lambda value, file: None if value is None else _record(Terms, value, file),
    "SourceLocation": _location,
    "tuple[Shape, ...]": _tuple_of(_record_of(Shape)),
    "tuple[Clause, ...]": _tuple_of(_record_of(Clause)),
    "tuple[Obligation, ...]": _tuple_of(_record_of(Obligation)),
    "tuple[FalsificationTest, ...]": _tuple_of(_record_of(FalsificationTest)),
    "tuple[Harness, ...]": _tuple_of(_record_of(Harness)),
}
"""How a field is read, by its annotation in the model."""

_FIELDS: dict[type, list[tuple[str, _Read]]] = {
    kind: [
        (field.name, _READERS[str(field.type)])
        for field in fields(kind)
        if (kind, field.name) not in ((Contract, "stem"), (Contract, "path"))  # the file's name
    ]
    for kind in (
        Clause,
        Contract,
        Equation,
        FalsificationTest,
        Harness,
        Metadata,
        Obligation,
        Problem,
        Shape,
        Terms,
    )
}

_VALUES_OF: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    SourceLocation: attrgetter("line", "column"),
    **{kind: attrgetter(*(name for name, _ in read)) for kind, read in _FIELDS.items()},
}
"""How a record is written: a list of its fields."""
