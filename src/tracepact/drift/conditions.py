"""How the conditions of an equation, or the statement of an obligation, changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracepact.contracts import Clause
from tracepact.drift.normal import Bound, Claim, bound_of, renamed_claims
from tracepact.predicate.ast import Name, walk
from tracepact.predicate.lower import TOLERANCE

How: TypeAlias = Literal["added", "removed", "tightened", "loosened", "changed"]

_MOST_COMPARED: Final = 20
"""Claims on one side up to which those that look alike are sought."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A claim, and the clause that makes it, maybe among others."""

    claim: Claim
    clause: Clause
    is_part: bool = False

    @property
    def text(self) -> str:
        """As written; of a clause with several claims, this one in normal form."""
        return self.claim.key if self.is_part else self.clause.text


def placed_claims(
    clauses: Iterable[Clause], names: Mapping[str, str] | None = None
) -> dict[str, Placed]:
    """The claims of clauses by normal form, each once; fields renamed as `names` says."""
    found: dict[str, Placed] = {}
    for clause in clauses:
        claims = renamed_claims(clause.text, names or {})
        for claim in claims:
            found.setdefault(claim.key, Placed(claim, clause, len(claims) > 1))
    return found


def compare_claims(
    old: Mapping[str, Placed], new: Mapping[str, Placed], tolerance: float | None
) -> Iterator[tuple[How, Placed | None, Placed | None]]:
    """What became of each claim.

    Args:
        old: Claims by normal form.
        new: Claims by normal form.
        tolerance: What `tol` stands for where a bound is a number only with it.

    Yields:
        How, the claim that was, and the claim that is. Linear in the number of claims.
    """
    gone = [each for key, each in old.items() if key not in new]
    come = {key: each for key, each in new.items() if key not in old}
    bounds: dict[tuple[str, bool], tuple[str, Bound]] = {}
    for key, each in come.items():
        bound = bound_of(each.claim, tolerance)
        if bound is not None:
            bounds.setdefault(bound.subject, (key, bound))
    left = []
    for each in gone:
        bound = bound_of(each.claim, tolerance)
        if bound is None or bound.subject not in bounds:
            left.append(each)
            continue
        key, other = bounds.pop(bound.subject)
        after = come.pop(key)
        if other.room != bound.room:
            yield ("tightened" if other.room < bound.room else "loosened"), each, after
    yield from _others(left, come)


def _others(
    gone: Sequence[Placed], come: dict[str, Placed]
) -> Iterator[tuple[How, Placed | None, Placed | None]]:
    few = max(len(gone), len(come)) <= _MOST_COMPARED
    for each in gone:
        near = difflib.get_close_matches(each.claim.key, come, n=1) if few else []
        if near:
            yield "changed", each, come.pop(near[0])
        else:
            yield "removed", each, None
    for each in come.values():
        yield "added", None, each


def names_in(claims: Iterable[Placed]) -> dict[str, Clause]:
    """Fields that claims are about, with the first clause that names each."""
    found: dict[str, Clause] = {}
    for each in claims:
        if each.claim.node is not None:
            for node in walk(each.claim.node):
                if isinstance(node, Name) and node.id != TOLERANCE:
                    found.setdefault(node.id, each.clause)
    return found
