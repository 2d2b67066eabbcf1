"""Claims about compiling clauses into conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tracepact.contracts import Contract, Problem
from tracepact.contracts.conditions import EquationConditions, compile_conditions
from tracepact.types import SourceLocation

Read: TypeAlias = Callable[[str], tuple[Contract, list[Problem]]]


def compiled(read: Read, text: str) -> EquationConditions:
    """Conditions of the equation f of a contract."""
    contract, problems = read(text)
    assert problems == []
    return compile_conditions(contract, contract.equations["f"])


def equation(clause: str, more: str = "") -> str:
    return f"equations:\n  f:\n    postconditions:\n      - {clause}\n{more}"


def test_condition_knows_where_it_comes_from(read: Read) -> None:
    found = compiled(read, equation('"all(isfinite(ret))"'))
    (condition,) = found.postconditions
    assert (condition.kind, condition.contract, condition.equation) == ("postcondition", "c", "f")
    assert condition.expression == condition.predicate.text == "all(isfinite(ret))"
    assert condition.location == SourceLocation("c.yaml", 4, 10)
    assert condition.predicate.check(ret=1.0)
    assert not condition.predicate.check(ret=float("nan"))


def test_preconditions_and_postconditions_are_kept_apart(read: Read) -> None:
    found = compiled(read, "equations: {f: {preconditions: [x > 0], postconditions: [ret > 0]}}")
    assert [(c.kind, c.expression) for c in found.preconditions] == [("precondition", "x > 0")]
    assert [(c.kind, c.expression) for c in found.postconditions] == [("postcondition", "ret > 0")]


@pytest.mark.parametrize("formal", ["ret>=0", "ret  >= 0", "(ret >= 0)", "ret >= 0.0"])
@pytest.mark.parametrize("applies", ["", "applies_to: all", "applies_to: f"])
def test_obligation_is_the_one_that_states_the_same(read: Read, formal: str, applies: str) -> None:
    more = f"proof_obligations:\n- property: Positive\n  formal: {formal}\n  {applies}\n"
    found = compiled(read, equation("ret >= 0", more))
    assert found.postconditions[0].obligation == "Positive"


@pytest.mark.parametrize(
    "entry",
    ["formal: ret >= 0\n  applies_to: g", "formal: ret > 0", "type: bound", "formal: σ > 0"],
)
def test_without_such_an_obligation_it_is_the_expression(read: Read, entry: str) -> None:
    more = f"proof_obligations:\n- property: Other\n  {entry}\n"
    found = compiled(read, equation("ret >= 0", more))
    assert found.postconditions[0].obligation == "ret >= 0"


OBLIGATION = "proof_obligations:\n- property: P\n  formal: abs(ret) <= tol\n  tolerance: 1e-3\n"


def test_tolerance_is_the_obligations_when_the_equation_has_none(read: Read) -> None:
    found = compiled(read, equation("abs(ret) <= tol", OBLIGATION))
    assert found.postconditions[0].tolerance == 1e-3


def test_tolerance_of_the_equation_goes_first(read: Read) -> None:
    found = compiled(read, equation("abs(ret) <= tol", "    tolerance: 1e-6\n" + OBLIGATION))
    assert found.postconditions[0].tolerance == 1e-6


def test_zero_is_a_tolerance(read: Read) -> None:
    found = compiled(read, equation("abs(ret) <= tol", "    tolerance: 0\n" + OBLIGATION))
    assert found.postconditions[0].tolerance == 0.0


def test_tol_without_any_tolerance_is_a_problem(read: Read) -> None:
    found = compiled(read, equation("abs(ret) <= tol"))
    assert found.postconditions == ()
    assert [str(problem) for problem in found.problems] == [
        "c.yaml:4:9: equations.f.postconditions[0]: 'abs(ret) <= tol' uses tol, but there is no "
        "tolerance; write one as equations.f.tolerance"
    ]


@pytest.mark.parametrize(
    ("clause", "column"),
    [("ret > $", 15), ("'ret > $'", 16), ("positive: ret > $", 25), ('"\\x72et > $"', 10)],
)
def test_error_is_located_at_the_character(read: Read, clause: str, column: int) -> None:
    """With escapes in the text, offsets are not columns: then it is where the text starts."""
    found = compiled(read, equation(clause))
    assert [str(problem.location) for problem in found.problems] == [f"c.yaml:4:{column}"]


@pytest.mark.parametrize(
    "clause",
    [
        "All tool results returned",
        "'For file: path is valid'",
        "'!values.is_empty() && x'",
        "'σ(x) ∈ ['",
    ],
)
def test_prose_is_a_problem_and_the_other_clauses_count(read: Read, clause: str) -> None:
    found = compiled(read, equation(f"{clause}\n      - ret > 0"))
    assert [condition.expression for condition in found.postconditions] == ["ret > 0"]
    assert len(found.problems) == 1
    assert found.problems[0].message.startswith("equations.f.postconditions[0]: ")
