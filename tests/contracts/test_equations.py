"""Claims about reading equations and their clauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tracepact.contracts import Clause, Contract, Problem
from tracepact.types import SourceLocation

Read: TypeAlias = Callable[[str], tuple[Contract, list[Problem]]]


def clauses(read: Read, text: str) -> tuple[tuple[Clause, ...], list[str]]:
    """Postconditions of the equation f, written as `text` from line 4 on."""
    indented = "\n".join(f"      {line}" for line in text.splitlines())
    contract, problems = read(f"equations:\n  f:\n    postconditions:\n{indented}\n")
    return contract.equations["f"].postconditions, [str(problem) for problem in problems]


def test_equation_has_all_its_fields(read: Read) -> None:
    contract, problems = read(
        """
        equations:
          softmax:
            description: normalised exponentials
            formula: exp(x) / sum(exp(x))
            domain: n >= 1
            codomain: (0, 1)
            invariants: [sums to 1]
            preconditions: ["size(x) > 0"]
            postconditions: ["all(ret >= 0)"]
            tolerance: 1e-6
            lean_theorem: Softmax.sum
        """
    )
    equation = contract.equations["softmax"]
    assert problems == []
    assert (equation.name, equation.formula) == ("softmax", "exp(x) / sum(exp(x))")
    assert (equation.domain, equation.codomain) == ("n >= 1", "(0, 1)")
    assert equation.description == "normalised exponentials"
    assert equation.invariants == ("sums to 1",)
    assert [clause.text for clause in equation.preconditions] == ["size(x) > 0"]
    assert [clause.text for clause in equation.postconditions] == ["all(ret >= 0)"]
    assert equation.tolerance == 1e-6
    assert equation.lean_theorem == "Softmax.sum"
    assert equation.location == SourceLocation("c.yaml", 3, 5)


def test_equation_may_be_a_mere_formula(read: Read) -> None:
    contract, problems = read("equations: {f: a = b}")
    assert contract.equations["f"].formula == "a = b"
    assert problems == []


def test_equations_may_be_a_list(read: Read) -> None:
    contract, problems = read("equations: [{name: f, formula: a}, {g: {formula: b}}]")
    assert {name: e.formula for name, e in contract.equations.items()} == {"f": "a", "g": "b"}
    assert problems == []


def test_second_equation_of_a_name_is_a_problem(read: Read) -> None:
    contract, problems = read("equations: [{name: f, formula: a}, {name: f, formula: b}]")
    assert contract.equations["f"].formula == "a"
    assert "equations[1]: a second equation 'f'" in problems[0].message


def test_equation_without_a_name_is_a_problem(read: Read) -> None:
    contract, problems = read("equations: [{formula: a}]")
    assert not contract.equations
    assert "an equation without a name" in problems[0].message


@pytest.mark.parametrize("written", ["{f: [a]}", "some text", "[a]"])
def test_equation_of_the_wrong_type_is_a_problem(read: Read, written: str) -> None:
    contract, problems = read(f"equations: {written}")
    assert not contract.equations
    assert "expected a map with a formula" in problems[0].message


def test_clause_is_located_where_its_text_starts(read: Read) -> None:
    found, problems = clauses(read, "- x > 0\n- 'y > 0'\n- \"  z > 0\"")
    assert [str(clause.location) for clause in found] == [
        "c.yaml:4:9",
        "c.yaml:5:10",
        "c.yaml:6:12",
    ]
    assert [clause.text for clause in found] == ["x > 0", "y > 0", "z > 0"]
    assert all(clause.verbatim for clause in found)
    assert problems == []


def test_clause_over_several_lines_is_not_verbatim(read: Read) -> None:
    found, _ = clauses(read, "- >\n  x > 0\n  and y > 0")
    assert found[0].text == "x > 0 and y > 0"
    assert not found[0].verbatim


def test_lone_clause_needs_no_list(read: Read) -> None:
    found, _ = clauses(read, "x > 0")
    assert [clause.text for clause in found] == ["x > 0"]


@pytest.mark.parametrize("written", ["- positive: x > 0", "positive: x > 0"])
def test_word_before_a_colon_is_a_label(read: Read, written: str) -> None:
    found, problems = clauses(read, written)
    assert [clause.text for clause in found] == ["x > 0"]
    assert problems == []


def test_sentence_with_an_unquoted_colon_stays_whole(read: Read) -> None:
    found, _ = clauses(read, "- For file: path is valid")
    assert found[0].text == "For file: path is valid"
    assert not found[0].verbatim


@pytest.mark.parametrize("field", ["predicate", "assertion", "expression", "formal", "check"])
def test_clause_may_be_a_map(read: Read, field: str) -> None:
    found, problems = clauses(read, f"- id: P-1\n  description: d\n  {field}: x > 0")
    assert [clause.text for clause in found] == ["x > 0"]
    assert problems == []


def test_unknown_field_of_a_clause_is_a_problem(read: Read) -> None:
    found, problems = clauses(read, "- assertion: x > 0\n  where: y")
    assert [clause.text for clause in found] == ["x > 0"]
    assert problems[0].startswith(
        "c.yaml:5:9: equations.f.postconditions[0]: unknown field 'where'"
    )


@pytest.mark.parametrize("written", ["- [x]", "- {id: a, description: b}"])
def test_clause_without_text_is_a_problem(read: Read, written: str) -> None:
    found, problems = clauses(read, written)
    assert found == ()
    assert "expected a predicate" in problems[0]


def test_empty_clause_is_left_out(read: Read) -> None:
    found, problems = clauses(read, "- \n- x > 0")
    assert [clause.text for clause in found] == ["x > 0"]
    assert problems == []
