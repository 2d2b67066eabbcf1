"""Layout of generated text: docstrings of several lines, and calls that formatters leave alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from tracepact.codegen.layout import WIDTH
from tracepact.codegen.quoting import quoted, unbroken
from tracepact.contracts import Contract


def docstring(summary: str, sections: Iterable[tuple[str, Sequence[str]]], indent: int) -> str:
    """A docstring: a summary, and lists of lines, titled or not; empty ones are left out.

    The text of contracts stands in it: nothing in there ends the docstring or is an escape.
    """
    margin = " " * indent
    lines = _wrapped(summary, indent + 6) or [""]
    for title, texts in sections:
        wrapped = [line for text in texts for line in _wrapped(text, indent + 4)]
        lines += ["", f"{title}:"] if title and wrapped else [""] * bool(wrapped)
        lines += [f"    {line}" for line in wrapped] if title else wrapped
    first, *rest = (unbroken(line).replace('"""', '\\"\\"\\"') for line in lines)
    if not rest and not first.endswith('"'):
        return f'{margin}"""{first}"""'
    body = [f"{margin}{line}".rstrip() for line in (*rest, '"""')]
    return "\n".join([f'{margin}"""{first}', *body])


def signature(name: str, parameters: Sequence[str], result: str, indent: int) -> str:
    """How a function begins: on one line, or a parameter a line where it is long."""
    margin = " " * indent
    line = f"{margin}def {name}({', '.join(parameters)}) -> {result}:"
    if len(line) <= WIDTH:
        return line
    inner = (f"{margin}    {parameter}," for parameter in parameters)
    return "\n".join([f"{margin}def {name}(", *inner, f"{margin}) -> {result}:"])


def imported(module: str, names: Sequence[str]) -> str:
    """An import of names from a module."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def with_text(before: str, text: str, indent: int) -> str:
    """A statement around a string, `before("…")`; on several lines where it is long.

    Brackets are left out where they are not needed, in an assignment.
    """
    margin = " " * indent
    inside = quoted(text) if before.endswith("= ") else f"({quoted(text)})"
    line = f"{margin}{before}{inside}"
    if len(line) <= WIDTH:
        return line
    pieces = _pieces(text, WIDTH - indent - 6)
    inner = (f"{margin}    {quoted(piece)}" for piece in pieces)
    return "\n".join([f"{margin}{before}(", *inner, f"{margin})"])


def titled(contract: Contract) -> str:
    """The contract as headers name it."""
    version = contract.metadata.version
    return f"{contract.stem} (version {version})" if version else contract.stem


def _wrapped(text: str, indent: int) -> list[str]:
    width = max(WIDTH - indent, 40)
    lines = text.replace("\r", "\n").split("\n")
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line,
            width,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _pieces(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most that many characters, cut behind spaces where there are any."""
    start = 0
    while len(text) - start > width:
        end = text.rfind(" ", start + 1, start + width) + 1 or start + width
        yield text[start:end]
        start = end
    yield text[start:]
