"""Functions in Rust sources, found in what is neither comment nor text."""

from __future__ import annotations

import re
from typing import Final

from tracepact.enforce.functions import SourceFunction
from tracepact.score.blanking import RUST, blanked
from tracepact.types import SourceLocation

_FUNCTION: Final = re.compile(rb"\bfn\s+(\w+)")


def rust_functions(data: bytes, file: str) -> list[SourceFunction]:
    """The functions that a Rust file defines, by name and place only."""
    functions: list[SourceFunction] = []
    line, position = 1, 0
    code = blanked(data, RUST)
    for found in _FUNCTION.finditer(code):
        line += code.count(b"\n", position, found.start())
        position = found.start()
        column = position - code.rfind(b"\n", 0, position)
        functions.append(
            SourceFunction(
                module="",
                qualname=found[1].decode("utf-8", "replace"),
                parameters=(),
                signature="",
                decorations=(),
                location=SourceLocation(file, line, column),
            )
        )
    return functions
