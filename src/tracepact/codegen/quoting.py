"""Text of contracts inside Python source: names, literals and comments that cannot break out."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def quoted(text: str) -> str:
    """A literal of one line, in double quotes where the text has none; `repr` escapes the rest."""
    return repr(text) if '"' in text else '"' + repr("'" + text)[2:]


def unbroken(text: str) -> str:
    """The text on one line, for comments: what is not printable, line ends among it, is escaped."""
    return repr(text)[1:-1]


def docstring(text: str) -> str:
    """A docstring of one line."""
    escaped = unbroken(text).replace('"', '\\"')
    return f'"""{escaped}"""'


def identifier(text: str) -> str:
    """The text as an identifier of ASCII letters, digits and underscores."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


class Names:
    """Identifiers by key: unique, no keywords and none of the reserved ones."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = {*reserved, *keyword.kwlist, "__debug__"}
        self._names: dict[str, str] = {}

    def of(self, key: str, wanted: str) -> str:
        """The name for a key, the same every time: `wanted`, an identifier, if that is free."""
        if key not in self._names:
            while wanted in self._taken:
                wanted += "_"
            self._taken.add(wanted)
            self._names[key] = wanted
        return self._names[key]
