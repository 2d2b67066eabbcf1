"""Source text with blanks for what is comment or text, so that the rest is code."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noise:
    """What is no code in a language.

    Attributes:
        start: Matches a line comment or a text as a whole, and of all else the beginning.
        opening: Of a comment that may be nested.
        edges: Matches both ends of such a comment.
    """

    start: re.Pattern[bytes]
    opening: bytes
    edges: re.Pattern[bytes]


RUST = Noise(
    re.compile(
        rb'//[^\n]*|/\*|\bb?r(?P<hashes>#*)"|"(?:\\.|[^"\\])*+"?|\'(?:\\[^\n]|[^\'\\\n])\'',
        re.DOTALL,
    ),
    b"/*",
    re.compile(rb"/\*|\*/"),
)
LEAN = Noise(
    re.compile(rb'--[^\n]*|/-|"(?:\\.|[^"\\])*+"?', re.DOTALL), b"/-", re.compile(rb"/-|-/")
)


def blanked(data: bytes, noise: Noise) -> bytes:
    """The same bytes with blanks for comments and texts; lines and columns stay.

    Linear in the length of the data, also where comments and texts do not end.
    """
    parts: list[bytes] = []
    position = 0
    while (found := noise.start.search(data, position)) is not None:
        end = found.end()
        if found[0] == noise.opening:
            end = _end_of_comment(data, end, noise)
        elif (hashes := found.groupdict().get("hashes")) is not None:
            closing = b'"' + hashes
            at = data.find(closing, end)
            end = len(data) if at < 0 else at + len(closing)
        parts += [
            data[position : found.start()],
            re.sub(rb"[^\n]", b" ", data[found.start() : end]),
        ]
        position = end
    return b"".join([*parts, data[position:]])


def _end_of_comment(data: bytes, position: int, noise: Noise) -> int:
    depth = 1
    while depth:
        edge = noise.edges.search(data, position)
        if edge is None:
            return len(data)
        depth += 1 if edge[0] == noise.opening else -1
        position = edge.end()
    return position
