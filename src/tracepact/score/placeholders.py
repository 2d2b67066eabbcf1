"""Predicates that stand in for a check: they say next to nothing, or are pasted everywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from tracepact.contracts import Clause, Contract, Equation
from tracepact.predicate import PredicateError, parse_predicate
from tracepact.predicate.ast import Call, Compare, Logical, Name, Node, Number, walk
from tracepact.types import SourceLocation

REPEATED_IN: Final = 5
"""A precondition in at least so many equations, and in more than half, is boilerplate."""

EMPTINESS_QUALITY: Final = 0.1
DOMAIN_QUALITY: Final = 0.5

_LENGTHS: Final = frozenset(("len", "size"))
_FOREIGN_EMPTINESS: Final = re.compile(
    r"!\s*[\w.]+\.is_empty\(\)|[\w.]+\.len\(\)\s*(?:>=?|!=)\s*[01]|[\w.]+\.is_(?:some|ok)\(\)|true"
)
"""The same in texts of other languages, which the dialects do not understand."""


_FILLER: Final = re.compile(
    r"(?:todo|tbd|fixme|xxx)\b.*|placeholder|n/?a|none|null|true|any(?:thing)?|\W*", re.I | re.S
)

Text: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One predicate that checks next to nothing, and why it is taken for one."""

    contract: str
    equation: str
    text: str
    reason: str
    location: SourceLocation


def find_placeholders(contracts: Iterable[Contract]) -> tuple[Placeholder, ...]:
    """The placeholders in these contracts, in their order.

    A predicate is one if it only asks whether something is there (`len(x) > 0`), or names no
    field; a precondition also if more than half of the equations with preconditions, and at least
    `REPEATED_IN`, have the same text.
    """
    owners = [(c, e) for c in contracts for e in c.equations.values()]
    stated = [{_squeezed(clause.text) for clause in e.preconditions} for _, e in owners]
    counts = Counter(text for texts in stated for text in texts)
    enough = max(REPEATED_IN, sum(map(bool, stated)) // 2 + 1)
    repeated = {text: count for text, count in counts.items() if count >= enough}
    return tuple(
        Placeholder(contract.stem, equation.name, clause.text, reason, clause.location)
        for contract, equation in owners
        for clause, reason in _reasons(equation, repeated)
    )


def quality(equation: Equation, placeholders: frozenset[SourceLocation]) -> float:
    """How much of an equation its predicates check: 0, .1 (emptiness), .5 (domain), or 1.

    Args:
        equation: Of a contract that `find_placeholders` looked at.
        placeholders: Locations of those that it found; they check next to nothing.
    """
    before = [clause for clause in equation.preconditions if clause.location not in placeholders]
    after = [clause for clause in equation.postconditions if clause.location not in placeholders]
    if before and after:
        return 1.0
    if before or after:
        return DOMAIN_QUALITY
    return EMPTINESS_QUALITY if equation.preconditions or equation.postconditions else 0.0


def share_stated(texts: Iterable[Text]) -> float:
    """Of several equations, the share that states something.

    Args:
        texts: What each equation says. Fillers such as `TODO` state nothing, nor does a text that
            only asks whether something is there; one that stands in more than half of the
            equations, and in at least `REPEATED_IN`, counts once.
    """
    every = [{_squeezed(t) for t in each if not is_filler(t)} for each in texts]
    counts = Counter(text for each in every for text in each)
    enough = max(REPEATED_IN, len(every) // 2 + 1)
    seen: set[str] = set()
    stated = 0
    for each in every:
        stated += any(counts[text] < enough or text not in seen for text in each)
        seen |= each
    return stated / len(every) if every else 0.0


def is_filler(text: str) -> bool:
    """Whether a text says nothing: it is empty, `TODO`, or only asks whether something is there."""
    return bool(_FILLER.fullmatch(text.strip()) or _FOREIGN_EMPTINESS.fullmatch(text.strip()))


def _reasons(equation: Equation, repeated: dict[str, int]) -> Iterator[tuple[Clause, str]]:
    for clause in (*equation.preconditions, *equation.postconditions):
        if reason := emptiness(clause.text):
            yield clause, reason
        elif clause in equation.preconditions and (n := repeated.get(_squeezed(clause.text))):
            yield clause, f"the same in {n} equations"


def emptiness(text: str) -> str:
    """Why the predicate checks next to nothing; an empty string if it checks something."""
    try:
        node = parse_predicate(text).node
    except PredicateError:
        parts = [part.strip() for part in text.split("&&")]
        empty = all(_FOREIGN_EMPTINESS.fullmatch(part) for part in parts)
        return "only asks whether something is there" if empty else ""
    return _weakness(node)


def _weakness(node: Node) -> str:
    if not any(isinstance(each, Name) for each in walk(node)):
        return "names no field"
    if isinstance(node, Logical) and node.operator in ("and", "or"):
        reasons = [_weakness(part) for part in node.operands]
        weak = all(reasons) if node.operator == "and" else any(reasons)
        return next(filter(None, reasons)) if weak else ""
    match node:
        case Compare(">" | ">=" | "!=", Call(function), Number(value)) if (
            function in _LENGTHS and value in (0, 1)
        ):
            return "only asks whether something is there"
        case Compare("<" | "<=" | "!=", Number(value), Call(function)) if (
            function in _LENGTHS and value in (0, 1)
        ):
            return "only asks whether something is there"
        case _:
            return ""


def _squeezed(text: str) -> str:
    return "".join(text.split())
