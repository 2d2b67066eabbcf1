"""Finding something in contracts: BM25 over what they say, with filters."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from tracepact.contracts import Clause, Contract, Equation
from tracepact.contracts.files import display_name
from tracepact.drift.conditions import names_in, placed_claims
from tracepact.lint.source import open_paths
from tracepact.types import SourceLocation

Part: TypeAlias = Literal[
    "contract", "equation", "precondition", "postcondition", "obligation", "test", "harness"
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_K1: Final = 1.2
_B: Final = 0.4
"""Parameters of BM25 (Robertson & Zaragoza 2009, The Probabilistic Relevance Framework); lengths
count for less than usual, since a contract is no worse for its references."""
_NAME_WEIGHT: Final = 3

_PLURALS: Final = {"invariant": "invariants", "reference": "references"}
_WORD: Final = re.compile(r"[A-Za-z]+|[0-9]+")
_NAME: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a contract that can be found.

    Attributes:
        contract: Its contract.
        part: What it is.
        name: Of the equation, or the property of the obligation; the id of a test or harness.
        texts: What it says, by the name of the field.
        type: Type of an obligation.
        fields: Fields that its predicates are about.
        equations: Equations that it belongs to.
        location: Where it begins.
    """

    contract: Contract
    part: Part
    name: str
    texts: tuple[tuple[str, str], ...]
    type: str = ""
    fields: frozenset[str] = frozenset()
    equations: frozenset[str] = frozenset()
    location: SourceLocation


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    Attributes:
        score: By BM25; 0 where nothing was asked for but filters.
        label: Which of its texts shows most of what was asked for.
        text: That text.
        spans: Where in it words of the query stand, as (start, end).
    """

    passage: Passage
    score: float
    label: str
    text: str
    spans: tuple[tuple[int, int], ...] = field(default=())


def passages(contract: Contract) -> Iterator[Passage]:
    """Everything in a contract that can be found, in its order."""
    meta = contract.metadata
    start = SourceLocation(display_name(contract.path), 1, 1)
    yield Passage(
        contract=contract, part="contract", name=contract.stem,
        texts=(("description", meta.description), *(("reference", r) for r in meta.references)),
        equations=frozenset(contract.equations), location=start,
    )  # fmt: skip
    for equation in contract.equations.values():
        yield from _equation(contract, equation)
    for each in contract.obligations:
        names = frozenset(name for name in contract.equations if each.covers(name))
        formal = [Clause(each.formal, each.location)] if each.formal else []
        yield Passage(
            contract=contract, part="obligation", name=each.property or each.id,
            texts=(("property", each.property), ("formal", each.formal)), type=each.type,
            fields=_fields(formal), equations=names, location=each.location,
        )  # fmt: skip
    for test in contract.falsification_tests:
        yield Passage(
            contract=contract, part="test", name=test.id, location=test.location,
            texts=tuple((n, getattr(test, n)) for n in ("rule", "prediction", "if_fails")),
        )  # fmt: skip
    for one in contract.harnesses:
        yield Passage(
            contract=contract, part="harness", name=one.id, location=one.location,
            texts=(("obligation", one.obligation), ("property", one.property)),
        )  # fmt: skip


def search(query: str, among: Sequence[Passage], limit: int) -> list[Hit]:
    """The passages that say most of a query, best first; all of them for an empty one.

    Args:
        query: Words, in any order; those of a name such as `row_sums` count one by one too.
        among: Where to look; linear in their text.
        limit: The most that are returned.
    """
    words = set(_words(query))
    if not words:
        if query.strip():
            return []
        return [_hit(each, 0.0, words) for each in among[:limit]]
    counts = [Counter(_passage_words(each)) for each in among]
    lengths = [count.total() for count in counts]
    mean = math.fsum(lengths) / max(len(lengths), 1) or 1.0
    weights = {word: _rarity(sum(word in count for count in counts), len(counts)) for word in words}
    scores = [
        math.fsum(
            weight * count[word] * (_K1 + 1)
            / (count[word] + _K1 * (1 - _B + _B * length / mean))
            for word, weight in weights.items()
        )
        for count, length in zip(counts, lengths, strict=True)
    ]  # fmt: skip
    for index, each in enumerate(among):
        if set(_words(each.name)) <= words:  # asked for by its whole name
            scores[index] *= 2
    order = sorted(range(len(among)), key=lambda index: -scores[index])[:limit]
    return [_hit(among[index], scores[index], words) for index in order if scores[index] > 0]


def place_of(hit: Hit) -> SourceLocation:
    """Where the text that a hit shows begins; reads the file again, for the few that are shown."""
    file = open_paths([hit.passage.contract.path])[0]
    label = _PLURALS.get(hit.label, hit.label)
    if hit.passage.part == "contract":
        return file.entry("metadata", label)
    if hit.passage.part in ("precondition", "postcondition"):
        return hit.passage.location
    return file.value(hit.passage.location, label)


def _rarity(having: int, total: int) -> float:
    return math.log1p((total - having + 0.5) / (having + 0.5))


def _equation(contract: Contract, equation: Equation) -> Iterator[Passage]:
    own = frozenset((equation.name,))
    yield Passage(
        contract=contract, part="equation", name=equation.name,
        texts=(
            ("formula", equation.formula), ("description", equation.description),
            ("domain", equation.domain), ("codomain", equation.codomain),
            *(("invariant", text) for text in equation.invariants),
        ),
        fields=_fields((*equation.preconditions, *equation.postconditions)),
        equations=own, location=equation.location,
    )  # fmt: skip
    kinds: tuple[tuple[Part, tuple[Clause, ...]], ...] = (
        ("precondition", equation.preconditions),
        ("postcondition", equation.postconditions),
    )
    for part, clauses in kinds:
        for clause in clauses:
            yield Passage(
                contract=contract, part=part, name=equation.name, texts=((part, clause.text),),
                fields=_fields([clause]), equations=own, location=clause.location,
            )  # fmt: skip


def _fields(clauses: Iterable[Clause]) -> frozenset[str]:
    return frozenset(names_in(placed_claims(clauses).values()))


def _passage_words(passage: Passage) -> Iterator[str]:
    """Names of what is defined say more than texts; the contract's counts for all its parts."""
    times = _NAME_WEIGHT if passage.part in ("contract", "equation") else 1
    for text in (*[passage.name] * times, passage.contract.stem, passage.type):
        yield from _words(text)
    for _, text in passage.texts:
        yield from _words(text)


def _words(text: str) -> Iterator[str]:
    for name in _NAME.findall(text):
        yield from _words_of(name)


def _words_of(name: str) -> Iterator[str]:
    """A name, and its parts where it has several; without the plural's s."""
    whole = name.lower()
    yield _stem(whole)
    parts = _WORD.findall(whole)
    if len(parts) > 1:
        yield from map(_stem, parts)


def _stem(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural else word


def _hit(passage: Passage, score: float, words: set[str]) -> Hit:
    best: tuple[int, str, str, tuple[tuple[int, int], ...]] | None = None
    for label, text in passage.texts:
        line = " ".join(text.split())
        spans = tuple(
            found.span() for found in _NAME.finditer(line) if words & set(_words_of(found[0]))
        )
        shown = len({line[a:b].lower() for a, b in spans})
        if line and (best is None or shown > best[0]):
            best = shown, label, line, spans
    return Hit(passage, score, *(best[1:] if best else ("", "")))
