"""What a function given as a condition says, in words for violations."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any


def text_of(function: Callable[..., Any], names: tuple[str, ...]) -> str:
    """The body of a lambda as written, on one line; of any other function a call of it."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if inspect.isfunction(function) and function.__name__ == "<lambda>":
        name = "lambda"
        body = _body(function)
        if body:
            return body
    return f"{name}({', '.join(names)})"


def _body(function: Callable[..., Any]) -> str:
    """Source between the first and the last character that the code was made from."""
    code = function.__code__
    starts, ends = [], []
    for line, end_line, column, end_column in code.co_positions():
        # What stands for no text, such as the start of a function, has no width.
        if line and end_line and None not in (column, end_column) and column != end_column:
            starts.append((line, column))
            ends.append((end_line, end_column))
    if not starts:  # a constant body, or an interpreter that keeps no columns
        return ""
    (first, start), (last, end) = min(starts), max(ends)
    # Columns count bytes of UTF-8.
    lines = [linecache.getline(code.co_filename, at).encode() for at in range(first, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    text = " ".join(b" ".join(lines).decode("utf-8", "replace").split())
    # Parentheses around the first or the last operand belong to no operation.
    missing = text.count("(") - text.count(")")
    return "(" * -missing + text + ")" * missing
