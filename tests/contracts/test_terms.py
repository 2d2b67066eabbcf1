"""What is assumed and guaranteed is read with its places, however it is written."""

from __future__ import annotations

from tracepact.contracts import Terms, parse_contract

TEXT = """\
assumes: {shapes: {x: [n, m]}}
equations:
  f:
    formula: y = x
    assumes:
      shapes:
        q: { dims: [batch, "heads * dim"] }
      constraints: ["dim % 2 == 0"]
      from_contract: contracts/base-v1.yaml
      from_equation: g
    guarantees: {shape: {y: [n]}}
"""


def test_terms_have_shapes_constraints_and_where_they_come_from() -> None:
    contract, _ = parse_contract(TEXT.encode(), "own-v1.yaml")
    assert contract is not None
    assert contract.assumes is not None
    assert contract.assumes.shapes[0].dims == ("n", "m")
    terms = contract.equations["f"].assumes
    assert isinstance(terms, Terms)
    assert (terms.from_contract, terms.from_equation) == ("base-v1", "g")
    assert terms.shapes[0].dims == ("batch", "heads * dim")
    assert terms.shapes[0].location.line == 7
    assert (terms.constraints[0].location.line, terms.constraints[0].location.column) == (8, 22)


def test_unknown_part_of_terms_is_a_problem_with_the_name_that_was_meant() -> None:
    _, problems = parse_contract(TEXT.encode(), "own-v1.yaml")
    assert [(one.location.line, one.instead) for one in problems] == [(11, "shapes")]


def test_terms_of_the_wrong_type_are_a_problem() -> None:
    contract, problems = parse_contract(b"equations: {f: {formula: y, assumes: [x]}}", "a.yaml")
    assert contract is not None
    assert contract.equations["f"].assumes is None
    assert "expected a map with shapes or constraints" in problems[0].message
