"""Texts of contracts on terminals and in Markdown: they cannot add lines, colours or markup."""

from __future__ import annotations

import re


def one_line(text: str) -> str:
    """The text on one line, without characters that steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in _squeezed(text))


def markdown(text: str) -> str:
    """The text as it is to be read in Markdown, tables included."""
    return re.sub(r"([\\`*_{}\[\]<>|&#!~@])", r"\\\1", one_line(text))


def markdown_row(*cells: str) -> str:
    """One row of a table."""
    return f"| {' | '.join(map(markdown, cells))} |"


def _squeezed(text: str) -> str:
    return " ".join(text.split())
