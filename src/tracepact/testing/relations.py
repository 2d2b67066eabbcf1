"""What the type of an obligation says about further calls of a function.

A relation is data: the results that it needs besides `ret`, each as a call, and the claim that is
made about them where the contract's own `formal` cannot be evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Callee: TypeAlias = Literal["same", "inverse", "reference"] | str

ARGUMENT: Final = re.compile(r"([A-Za-z_]\w*)\s*=\s*([A-Za-z_]\w*)\(([^()]{1,80})\)")


@dataclass(frozen=True, slots=True)
class Derived:
    """One further result.

    Attributes:
        name: Field that it becomes.
        callee: `same` function, its `inverse`, a `reference`, or an equation by name.
        arguments: Expressions over inputs and earlier results, in order of the parameters; as
            many as differ from the inputs themselves.
        is_mirrored: The last axis is reversed, of the argument and of the result.
    """

    name: str
    callee: Callee = "same"
    arguments: tuple[str, ...] = ()
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """Further results, and what holds of them.

    `{x}` stands for the first input, `{y}` for the second.

    Attributes:
        derived: What is computed besides `ret`.
        claim: Predicate, for obligations whose `formal` cannot be evaluated.
        numbers: Further inputs that are whole numbers.
        twins: Further inputs that are made like the first.
        words: Says that this relation is meant, where a type has several.
    """

    derived: tuple[Derived, ...]
    claim: str
    numbers: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    words: str = ""


_CLOSE = "abs({one} - {other}) <= tol * (1 + abs({one}))"

RELATIONS: Final[Mapping[str, Sequence[Relation]]] = {
    "determinism": [Relation((Derived("repeat"),), "ret == repeat")],
    "idempotency": [
        Relation((Derived("again", arguments=("ret",)),), _CLOSE.format(one="ret", other="again"))
    ],
    "involution": [
        Relation((Derived("back", arguments=("ret",)),), _CLOSE.format(one="{x}", other="back"))
    ],
    "roundtrip": [
        Relation((Derived("back", "inverse", ("ret",)),), _CLOSE.format(one="{x}", other="back"))
    ],
    "equivalence": [
        Relation((Derived("reference", "reference"),), _CLOSE.format(one="reference", other="ret"))
    ],
    "monotonicity": [
        Relation(
            (Derived("raised", arguments=("{x} + step * step",)),),
            "raised >= ret - tol * (1 + abs(ret))",
            numbers=("step",),
        )
    ],
    "linearity": [
        Relation(
            (Derived("other", arguments=("twin",)), Derived("sum_", arguments=("2 * {x} + twin",))),
            "abs(sum_ - (2 * ret + other)) <= "
            "8 * tol * (1 + max(abs(ret)) + max(abs(other)) + max(abs({x})) + max(abs(twin)))",
            twins=("twin",),
        )
    ],
    "symmetry": [
        Relation(
            (Derived("permuted", arguments=("{x}",), is_mirrored=True),),
            _CLOSE.format(one="ret", other="permuted"),
            words=r"permut|reorder|order|revers|mirror",
        ),
        Relation(
            (Derived("swapped", arguments=("{y}", "{x}")),),
            _CLOSE.format(one="ret", other="swapped"),
            words=r"commut|swap|exchang",
        ),
        Relation(
            (Derived("negated", arguments=("-{x}",)),),
            "abs(ret + negated) <= tol * (1 + abs(ret))",
            words=r"\bodd\b|antisym|=\s*-\s*\w+\(",
        ),
        Relation(
            (Derived("negated", arguments=("-{x}",)),),
            _CLOSE.format(one="ret", other="negated"),
            words=r"\beven\b|negat|sign|\(\s*-",
        ),
        Relation(
            (Derived("shifted", arguments=("{x} + c",)),),
            _CLOSE.format(one="ret", other="shifted"),
            numbers=("c",),
            words=r"shift|translat|constant|\+\s*c\b",
        ),
    ],
}
"""By type of obligation; of several the first whose words the obligation uses."""


def relation_for(type_: str, text: str, unknown: frozenset[str]) -> Relation | None:
    """The relation that an obligation means.

    Args:
        type_: Its type.
        text: Its property and formal.
        unknown: Names in its formal that are neither inputs nor `ret`.
    """
    found = RELATIONS.get(type_, ())
    for relation in found:
        if unknown and unknown <= {each.name for each in relation.derived}:
            return relation
    for relation in found:
        if not relation.words or re.search(relation.words, text, re.IGNORECASE):
            return relation
    if "reference" in unknown:
        return RELATIONS["equivalence"][0]
    return None


def definitions(text: str) -> list[Derived]:
    """Results that a formula or a domain defines by calls: `shifted = softmax(x + c)`."""
    return [
        Derived(name, callee, tuple(part.strip() for part in arguments.split(",")))
        for name, callee, arguments in ARGUMENT.findall(text)
    ]
