"""Claims about reading obligations, falsification tests and harnesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tracepact.contracts import Contract, Problem
from tracepact.contracts.model import OBLIGATION_TYPES
from tracepact.types import SourceLocation

Read: TypeAlias = Callable[[str], tuple[Contract, list[Problem]]]


def test_obligation_has_all_its_fields(read: Read) -> None:
    contract, problems = read(
        """
        proof_obligations:
          - type: invariant
            id: SM-INV-001
            property: Output sums to 1
            formal: abs(sum(ret) - 1) <= tol
            tolerance: 1e-6
            applies_to: softmax
            requires: [P-1, P-2]
            lean: {theorem: Softmax.sum, status: proved, axioms: 0}
        """
    )
    (obligation,) = contract.obligations
    assert problems == []
    assert (obligation.type, obligation.id) == ("invariant", "SM-INV-001")
    assert (obligation.property, obligation.tolerance) == ("Output sums to 1", 1e-6)
    assert obligation.formal == "abs(sum(ret) - 1) <= tol"
    assert obligation.applies_to == ("softmax",)
    assert obligation.requires == ("P-1", "P-2")
    assert obligation.lean == {"theorem": "Softmax.sum", "status": "proved", "axioms": 0}
    assert obligation.location == SourceLocation("c.yaml", 2, 5)


def test_obligation_names_its_equation_either_way(read: Read) -> None:
    contract, problems = read("proof_obligations: [{property: p, equation: f}]")
    assert contract.obligations[0].applies_to == ("f",)
    assert problems == []


@pytest.mark.parametrize("name", OBLIGATION_TYPES)
def test_every_documented_type_is_known(read: Read, name: str) -> None:
    contract, problems = read(f"proof_obligations: [{{type: {name}, property: p}}]")
    assert contract.obligations[0].type == name
    assert problems == []


def test_type_may_be_spelled_with_hyphens_and_capitals(read: Read) -> None:
    contract, problems = read("proof_obligations: [{type: Loop-Invariant, property: p}]")
    assert contract.obligations[0].type == "loop_invariant"
    assert problems == []


def test_unknown_type_is_kept_and_reported(read: Read) -> None:
    contract, problems = read("proof_obligations:\n- type: invarient\n  property: p\n")
    assert contract.obligations[0].type == "invarient"
    assert str(problems[0]).startswith(
        "c.yaml:2:9: proof_obligations[0].type: unknown type of obligation 'invarient'; "
        "did you mean 'invariant'?"
    )


def test_type_that_is_no_text_is_one_problem(read: Read) -> None:
    contract, problems = read("proof_obligations: [{type: [a], property: p}]")
    assert contract.obligations[0].type == "invariant"
    assert len(problems) == 1


def test_obligations_in_the_shapes_of_the_wild(read: Read) -> None:
    contract, problems = read(
        """
        obligations:
          - a mere sentence
          - {id: C-1, description: one call}
        properties:
          - rows_sum: sum(ret) == 1
        """
    )
    assert [(o.property, o.formal) for o in contract.obligations] == [
        ("a mere sentence", ""),
        ("one call", ""),
        ("rows_sum", "sum(ret) == 1"),
    ]
    assert problems == []


def test_lean_may_be_the_name_of_a_theorem(read: Read) -> None:
    contract, _ = read("proof_obligations: [{property: p, lean: Softmax.sum}]")
    assert contract.obligations[0].lean == {"theorem": "Softmax.sum"}


def test_lean_of_the_wrong_type_is_a_problem(read: Read) -> None:
    contract, problems = read("proof_obligations: [{property: p, lean: [a]}]")
    assert contract.obligations[0].lean is None
    assert "proof_obligations[0].lean: expected a map" in problems[0].message


def test_falsification_test_has_all_its_fields(read: Read) -> None:
    contract, problems = read(
        "falsification_tests: [{id: F-1, rule: r, prediction: p, test: t, if_fails: i}]"
    )
    (test,) = contract.falsification_tests
    assert (test.id, test.rule, test.prediction, test.test) == ("F-1", "r", "p", "t")
    assert test.if_fails == "i"
    assert problems == []


def test_falsification_may_be_a_map_with_ids_as_keys(read: Read) -> None:
    contract, problems = read("falsification:\n  F-1: {rule: r}\n  F-2: never NaN\n")
    assert [(t.id, t.rule, t.prediction) for t in contract.falsification_tests] == [
        ("F-1", "r", ""),
        ("F-2", "", "never NaN"),
    ]
    assert problems == []


def test_both_sections_of_tests_count(read: Read) -> None:
    contract, _ = read("falsification: [{id: F-2}]\nfalsification_tests: [{id: F-1}]\n")
    assert [test.id for test in contract.falsification_tests] == ["F-1", "F-2"]


def test_harness_has_all_its_fields(read: Read) -> None:
    contract, problems = read(
        "kani_harnesses: [{id: K-1, obligation: O-1, property: p, bound: 8, "
        "strategy: stub_float, solver: cadical, harness: verify}]"
    )
    (harness,) = contract.harnesses
    assert (harness.id, harness.obligation, harness.property) == ("K-1", "O-1", "p")
    assert (harness.bound, harness.strategy) == (8, "stub_float")
    assert (harness.solver, harness.harness) == ("cadical", "verify")
    assert problems == []


@pytest.mark.parametrize("section", ["proof_obligations", "falsification_tests", "kani_harnesses"])
def test_entry_of_the_wrong_type_is_a_problem(read: Read, section: str) -> None:
    contract, problems = read(f"{section}:\n- [a]\n- id: X-1\n")
    entries = contract.obligations + contract.falsification_tests + contract.harnesses  # type: ignore[operator]
    assert [entry.id for entry in entries] == ["X-1"]
    assert str(problems[0]).startswith(f"c.yaml:2:3: {section}[0]: expected a map")
