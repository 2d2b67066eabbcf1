"""Laying out generated statements: one line where it fits, one argument a line where it does not.

Expressions of contracts can be long; exported modules switch formatters off (`# fmt: off`), so that
they look the same in every project, whatever its line length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracepact.codegen.quoting import quoted

WIDTH = 88
_PIECE = 60
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S)+""")


def call(function: str, arguments: Sequence[str], *, indent: int = 0, tail: str = "") -> list[str]:
    """Lines of `function(arguments)` and what follows the closing bracket."""
    margin = " " * indent
    line = f"{margin}{function}({', '.join(arguments)}){tail}"
    if len(line.partition("\n")[0]) <= WIDTH and not any("\n" in a for a in arguments):
        return [line]
    inner = [part for argument in arguments for part in _filled(f"{argument},", indent + 4)]
    return [f"{margin}{function}(", *inner, f"{margin}){tail}"]


def literal(text: str, *, indent: int) -> str:
    """A string, in brackets and on several lines where it is long, as it follows other text."""
    if len(text) <= _PIECE:
        return quoted(text)
    margin = "\n" + " " * indent
    pieces = (f"{margin}    {quoted(piece)}" for piece in _pieces(text))
    return f"({''.join(pieces)}{margin})"


def _pieces(text: str) -> list[str]:
    found = []
    while len(text) > _PIECE:
        cut = text.rfind(" ", 1, _PIECE) + 1 or _PIECE
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]


def _filled(code: str, indent: int) -> list[str]:
    """Code between brackets, broken at spaces that are not part of a literal."""
    if "\n" in code:  # laid out by `literal`
        return [" " * indent + code]
    first, *rest = _WORD.findall(code)
    lines = [" " * indent + first]
    for word in rest:
        if len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(" " * (indent + 4) + word)
    return lines
