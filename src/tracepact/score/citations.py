"""The tests that contracts name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NODE_ID: Final = re.compile(r"(\S+\.(?:py|rs))::([\w:]+)(\[.*\])?", re.DOTALL)
_NODE_IDS: Final = re.compile(r"(?<![\w./-])([\w./-]+\.(?:py|rs))::((?:\w+::)*\w+)(\[[^\]\s]*\])?")
_NAME: Final = re.compile(r"(?<![\w.:/])(?:\w+::)*((?:test|prop|verify|kani|proof|check)_\w+)")


@dataclass(frozen=True, slots=True)
class Citation:
    """A test that a contract names.

    Attributes:
        file: Its file as written, or an empty string.
        qualname: `test_name` or `Class.test_name`.
        variant: The case of a parametrised test, in brackets, or an empty string.
    """

    file: str
    qualname: str
    variant: str = ""

    def __str__(self) -> str:
        """As pytest writes it, without the case."""
        start = f"{self.file}::" if self.file else ""
        return f"{start}{self.qualname.replace('.', '::')}"

    @property
    def name(self) -> str:
        """Last part of the qualified name."""
        return self.qualname.rpartition(".")[2]

    def means(self, other: Citation) -> bool:
        """Whether a node id of a run is what this one cites, or a case of it.

        A citation without a file means any test of that name.
        """
        if not self.file:
            return self.name == other.name
        wanted, there = self.file.split("/"), other.file.split("/")
        shared = min(len(wanted), len(there))
        same_file = wanted[-shared:] == there[-shared:]
        same_case = self.variant in ("", other.variant)
        return same_file and self.qualname == other.qualname and same_case


def citations(text: str) -> tuple[Citation, ...]:
    """The tests that a text names: pytest ids, or names such as `test_x` within prose."""
    whole = _NODE_ID.fullmatch(text.strip())
    found = [whole] if whole is not None else list(_NODE_IDS.finditer(text))
    named = [Citation(m[1], m[2].replace("::", "."), m[3] or "") for m in found]
    rest = "" if whole is not None else _NODE_IDS.sub(" ", text)
    named += [Citation("", name) for name in _NAME.findall(rest)]
    return tuple(dict.fromkeys(named))
