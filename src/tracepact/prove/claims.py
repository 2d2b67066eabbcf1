"""What an obligation claims about an equation, and what a formula may speak of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tracepact.contracts import Condition, Contract, ContractRegistry, Equation, Obligation
from tracepact.errors import ConfigError
from tracepact.predicate import PredicateError, parse_predicate
from tracepact.prove.domain import names_in, words
from tracepact.prove.formula import Definition, parse_definitions
from tracepact.prove.proof import Undecidable
from tracepact.prove.subject import Claim


def make_claim(
    registry: ContractRegistry, contract: Contract, equation: Equation, obligation: Obligation
) -> Claim:
    """What the obligation states about an equation.

    Raises:
        Undecidable: It has no predicate.
    """
    tolerance = equation.tolerance if equation.tolerance is not None else obligation.tolerance
    if obligation.formal:
        try:
            predicates = [parse_predicate(obligation.formal)]
        except PredicateError as error:
            where = f"column {error.offset + 1} of its formal statement"
            raise Undecidable(f"the obligation is no predicate: {error.reason}, {where}") from None
    else:
        stated = registry.postconditions(contract.stem, equation.name) or ()
        predicates = [c.predicate for c in stated if c.obligation == obligation.property]
    if not predicates:
        raise Undecidable("the obligation has no formal statement")
    if tolerance is None and any(p.uses_tolerance for p in predicates):
        raise Undecidable("the obligation uses tol, but there is no tolerance")
    return Claim(
        contract=contract.stem,
        equation=equation.name,
        obligation=obligation.property,
        predicates=tuple((p.node, tolerance, p.text) for p in predicates),
        assumed=_assumed(registry, contract, equation),
        fields=frozenset().union(*(p.fields for p in predicates)),
    )


def _assumed(
    registry: ContractRegistry, contract: Contract, equation: Equation
) -> tuple[Condition, ...]:
    if registry.contracts.get(contract.stem) is not contract:
        raise ConfigError(f"the contract {contract.stem!r} is none of the registry's")
    stated = registry.preconditions(contract.stem, equation.name) or ()
    return (*stated, *_of_domain(contract, equation))


def _of_domain(contract: Contract, equation: Equation) -> Iterator[Condition]:
    """Comparisons in a domain (`eps > 0`) that are about one field of the equation."""
    names = words(equation.domain)
    for part in re.split(r"[,;]", equation.domain):
        text = part.strip()
        try:
            predicate = parse_predicate(text)
        except PredicateError:
            continue
        if predicate.fields and predicate.fields <= names and not predicate.uses_tolerance:
            yield Condition(
                kind="precondition",
                predicate=predicate,
                expression=text,
                obligation=text,
                tolerance=None,
                contract=contract.stem,
                equation=equation.name,
                location=equation.location,
            )


def known_names(
    registry: ContractRegistry, contract: Contract, equation: Equation, fields: frozenset[str]
) -> frozenset[str]:
    """Names that a formula may use: those of predicates, and of the domain."""
    conditions = (
        *(registry.preconditions(contract.stem, equation.name) or ()),
        *(registry.postconditions(contract.stem, equation.name) or ()),
    )
    names = fields.union(words(equation.domain), *(c.predicate.fields for c in conditions))
    return frozenset(name.removeprefix("old(").removesuffix(")") for name in names)


def functions_of(registry: ContractRegistry, contract: Contract) -> dict[str, Definition]:
    """Equations of the contract, and of those that it builds on, that formulas may call."""
    found: dict[str, Definition] = {}
    for stem in (contract.stem, *contract.metadata.depends_on):
        owner = registry.contracts.get(stem)
        for equation in () if owner is None else owner.equations.values():
            assert owner is not None
            known = known_names(registry, owner, equation, frozenset())
            try:
                parsed = parse_definitions(equation.formula, known)
            except Undecidable:
                continue
            found.update({d.function: d for d in parsed if d.function not in ("", *found)})
    return found


def free_names(definitions: Sequence[Definition]) -> frozenset[str]:
    """Fields that definitions read and do not make."""
    found: set[str] = set()
    for definition in definitions:
        named = names_in((definition.body,))
        found |= {f"old({name})" if definition.is_step else name for name in named}
        found |= set(definition.parameters)
    return frozenset(found)
