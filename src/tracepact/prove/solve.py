"""A claim about a formula as questions to z3, one for each size of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import z3

from tracepact.contracts import Condition
from tracepact.prove.algebra import Algebra
from tracepact.prove.domain import Input, sizes
from tracepact.prove.formula import Definition
from tracepact.prove.proof import MAX_SYMBOLS, Deadline, Undecidable
from tracepact.prove.subject import Claim, Fields
from tracepact.prove.terms import Terms, exact, term, truth

_MAX_PATTERNS = 256


@dataclass(frozen=True, slots=True)
class Question:
    """The claim for one size, with -inf in some places.

    Attributes:
        assumed: Preconditions and facts, as terms.
        goals: What follows from them if the claim holds: False, or a term each.
        fields: The unknowns, by field.
    """

    assumed: tuple[Any, ...]
    goals: tuple[Any, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver found: a proof, or inputs that may refute the claim."""

    detail: str
    candidate: Fields | None = None


def solve(
    claim: Claim,
    definitions: Sequence[Definition],
    functions: Mapping[str, Definition],
    inputs: Sequence[Input],
    bound: int,
    deadline: Deadline,
) -> Answer:
    """Ask for every size up to the bound.

    Raises:
        Undecidable: The solver cannot say, or the time is over.
    """
    try:
        return _solved(claim, definitions, functions, inputs, bound, deadline)
    except (z3.Z3Exception, ArithmeticError) as error:
        raise Undecidable(f"z3 cannot take it: {error}") from None


def _solved(
    claim: Claim,
    definitions: Sequence[Definition],
    functions: Mapping[str, Definition],
    inputs: Sequence[Input],
    bound: int,
    deadline: Deadline,
) -> Answer:
    sized = asked = 0
    for question in _questions(claim, definitions, functions, inputs, bound, deadline):
        deadline.check(f"{asked} questions to z3 about {sized} kinds of input")
        sized += 1
        for goal in question.goals:
            deadline.check(f"{asked} questions to z3 about {sized} kinds of input")
            asked += 1
            solver = z3.Solver()
            solver.set("timeout", max(1, int(1000 * deadline.left_s)))
            solver.add(*question.assumed, z3.Not(term(goal)))
            found = solver.check()
            if found == z3.sat:
                return Answer("", _values(solver.model(), question.fields, inputs))
            if found == z3.unknown:
                reason = solver.reason_unknown()
                raise Undecidable(f"z3 could not decide question {asked} ({reason})")
    if not sized:
        raise Undecidable(f"no input has at most {bound} elements")
    size = f"arrays of up to {bound} elements" if any(one.dims for one in inputs) else "numbers"
    kinds = f" in {sized} shapes and patterns of -inf" if sized > 1 else ""
    seconds = f"{deadline.elapsed_s:.2f} s"
    return Answer(f"{size}{kinds}; {asked} question{'s' * (asked != 1)}, {seconds}")


def admitted_inputs(
    claim: Claim,
    definitions: Sequence[Definition],
    functions: Mapping[str, Definition],
    inputs: Sequence[Input],
    bound: int,
    deadline: Deadline,
) -> Iterator[Fields]:
    """Inputs that satisfy the preconditions, one of each kind.

    Raises:
        Undecidable: The time is over.
    """
    for question in _questions(claim, definitions, functions, inputs, bound, deadline):
        deadline.check("no input that the obligation is about was found")
        solver = z3.Solver()
        solver.set("timeout", max(1, int(1000 * deadline.left_s)))
        solver.add(*question.assumed)
        if solver.check() == z3.sat:
            yield _values(solver.model(), question.fields, inputs)


def _questions(
    claim: Claim,
    definitions: Sequence[Definition],
    functions: Mapping[str, Definition],
    inputs: Sequence[Input],
    bound: int,
    deadline: Deadline,
) -> Iterator[Question]:
    for shapes in sizes(inputs, bound):
        for unknowns in _unknowns(inputs, shapes):
            deadline.check("building questions to z3")
            question = _question(claim, definitions, functions, unknowns)
            if question is not None:
                yield question


def _unknowns(
    inputs: Sequence[Input], shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[dict[str, Any]]:
    """Fields of unknowns, once for each way to put -inf into those that may have it."""
    total = sum(int(np.prod(shape, dtype=int)) for shape in shapes.values())
    if total > MAX_SYMBOLS:
        raise Undecidable(f"{total} unknowns are more than the {MAX_SYMBOLS} that are asked for")
    places = [
        (one.name, k)
        for one in inputs
        if one.has_infinity and not one.is_whole
        for k in range(int(np.prod(shapes[one.name], dtype=int)))
    ]
    if 2 ** len(places) > _MAX_PATTERNS:
        raise Undecidable(f"{len(places)} places for -inf have too many combinations")
    for pattern in product((False, True), repeat=len(places)):
        masked = {place for place, hit in zip(places, pattern, strict=True) if hit}
        fields = {}
        for one in inputs:
            array = np.empty(int(np.prod(shapes[one.name], dtype=int)), object)
            make = z3.Int if one.is_whole else z3.Real
            for k in range(array.size):
                array[k] = -np.inf if (one.name, k) in masked else make(f"{one.name}!{k}")
            fields[one.name] = array.reshape(shapes[one.name])
        yield fields


def _question(
    claim: Claim,
    definitions: Sequence[Definition],
    functions: Mapping[str, Definition],
    unknowns: Mapping[str, Any],
) -> Question | None:
    """One question; None where no such input is admitted."""
    terms = Terms()
    formulas, predicates = Algebra(terms, functions), Algebra(terms)
    fields: dict[str, Any] = dict(unknowns)
    results = {definition.name for definition in definitions}
    early = [c for c in claim.assumed if not c.predicate.fields & results]
    late = [c for c in claim.assumed if c.predicate.fields & results]
    if not _assume(early, terms, predicates, fields):
        return None
    terms.sides.clear()  # what is assumed does not have to be shown
    for definition in definitions:
        fields[definition.name] = formulas.define(definition, fields)
    sides = list(terms.sides)
    if not _assume(late, terms, predicates, fields):
        return None
    terms.sides.clear()
    goals = []
    for node, tolerance, _ in claim.predicates:
        try:
            goals += _parts(predicates, node, tolerance, fields)
        except ValueError as error:
            raise Undecidable(f"the obligation cannot be computed: {error}") from None
    goals += sides + terms.sides
    return Question(
        (*terms.assumed, *terms.facts), tuple(each for each in goals if each is not True), unknowns
    )


def _assume(
    conditions: Sequence[Condition], terms: Terms, algebra: Algebra, fields: Mapping[str, Any]
) -> bool:
    """Add conditions to what is assumed; False where one of them certainly does not hold."""
    for condition in conditions:
        try:
            parts = _parts(algebra, condition.predicate.node, condition.tolerance, fields)
        except Undecidable:
            continue  # to assume less is sound
        except ValueError:
            return False  # shapes that do not fit are not admitted
        if any(part is False for part in parts):
            return False
        terms.assumed += [part for part in parts if part is not True]
    return True


def _parts(
    algebra: Algebra, node: Any, tolerance: float | None, fields: Mapping[str, Any]
) -> list[Any]:
    """A predicate element by element: each True, False or a term."""
    tol = {} if tolerance is None else {"tol": np.asarray(exact(tolerance), object)}
    found = np.asarray(algebra.value(node, {**fields, **tol}), object).reshape(-1)
    return [truth(each) for each in found]


def _values(model: Any, fields: Mapping[str, Any], inputs: Sequence[Input]) -> Fields:
    """Numbers for the unknowns, as floats and whole numbers."""
    found: Fields = {}
    for one in inputs:
        array = fields[one.name]
        flat = [_value(model, each) for each in array.reshape(-1)]
        if array.ndim:
            found[one.name] = np.array(flat, np.int64 if one.is_whole else np.float64)
            found[one.name] = found[one.name].reshape(array.shape)
        else:
            found[one.name] = int(flat[0]) if one.is_whole else flat[0]
    return found


def _value(model: Any, unknown: Any) -> float:
    if isinstance(unknown, float):
        return unknown
    value = model.eval(unknown, model_completion=True)
    if z3.is_algebraic_value(value):
        value = value.approx(20)
    fraction = value.as_fraction() if z3.is_rational_value(value) else value.as_long()
    return float(fraction)
