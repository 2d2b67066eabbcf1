"""Compiling the clauses of an equation into conditions that can be checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from tracepact.contracts.model import Clause, Contract, Equation, Obligation, Problem
from tracepact.contracts.problem_log import quoted, shortened
from tracepact.predicate import Predicate, PredicateError, parse_predicate
from tracepact.types import SourceLocation

ConditionKind: TypeAlias = Literal["precondition", "postcondition", "invariant"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One predicate of one equation, ready to be checked.

    Attributes:
        kind: Whether it holds before or after the equation is computed, or between calls.
        predicate: What is checked.
        expression: The predicate as written.
        obligation: Property of the obligation that it enforces; the expression where none does.
        tolerance: What `tol` stands for: the equation's tolerance, else the obligation's.
        contract: Stem of the contract.
        equation: Name of the equation.
        location: Where the predicate is written.
    """

    kind: ConditionKind
    predicate: Predicate
    expression: str
    obligation: str
    tolerance: float | None
    contract: str
    equation: str
    location: SourceLocation


Postcondition: TypeAlias = Condition
"""A condition of the kind `postcondition`."""


@dataclass(frozen=True, slots=True)
class EquationConditions:
    """What can be checked of an equation, and the clauses that cannot."""

    preconditions: tuple[Condition, ...]
    postconditions: tuple[Postcondition, ...]
    problems: tuple[Problem, ...]


def compile_conditions(contract: Contract, equation: Equation) -> EquationConditions:
    """Parse every clause of an equation; those that no dialect understands become problems."""
    problems: list[Problem] = []
    return EquationConditions(
        tuple(_compile(contract, equation, "precondition", equation.preconditions, problems)),
        tuple(_compile(contract, equation, "postcondition", equation.postconditions, problems)),
        tuple(problems),
    )


def _compile(
    contract: Contract,
    equation: Equation,
    kind: ConditionKind,
    clauses: tuple[Clause, ...],
    problems: list[Problem],
) -> Iterator[Condition]:
    for index, clause in enumerate(clauses):
        where = f"equations.{shortened(equation.name)}.{kind}s[{index}]"
        try:
            predicate = parse_predicate(clause.text, origin=clause.location)
        except PredicateError as error:
            message = f"{where}: {quoted(clause.text)}: {error.reason}"
            problems.append(Problem(_place(clause, error.offset), message, error.hint))
            continue
        obligation = _enforced(predicate, contract, equation)
        tolerance = equation.tolerance
        if tolerance is None and obligation is not None:
            tolerance = obligation.tolerance
        if tolerance is None and predicate.uses_tolerance:
            message = f"{where}: {quoted(clause.text)} uses tol, but there is no tolerance"
            hint = f"write one as equations.{shortened(equation.name)}.tolerance"
            problems.append(Problem(clause.location, message, hint))
            continue
        yield Condition(
            kind=kind,
            predicate=predicate,
            expression=clause.text,
            obligation=clause.text if obligation is None else obligation.property,
            tolerance=tolerance,
            contract=contract.stem,
            equation=equation.name,
            location=clause.location,
        )


def _enforced(predicate: Predicate, contract: Contract, equation: Equation) -> Obligation | None:
    """The obligation of that equation whose formal statement is this predicate."""
    stated = [o for o in contract.obligations if o.formal and o.covers(equation.name)]
    text = _squeezed(predicate.text)
    for obligation in stated:
        if _squeezed(obligation.formal) == text:
            return obligation
    for obligation in stated:
        formal = _parsed(obligation.formal)
        if formal is not None and formal.node == predicate.node:
            return obligation
    return None


def _squeezed(text: str) -> str:
    return "".join(text.split())


@lru_cache(maxsize=4096)
def _parsed(formal: str) -> Predicate | None:
    try:
        return parse_predicate(formal)
    except PredicateError:
        return None


def _place(clause: Clause, offset: int) -> SourceLocation:
    location = clause.location
    if not clause.verbatim or location.column is None:
        return location
    return replace(location, column=location.column + offset)
