"""Predicates that check next to nothing are told from those that check something."""

from __future__ import annotations

import pytest

from tracepact.contracts import Contract, ContractRegistry, parse_contract
from tracepact.score import find_placeholders
from tracepact.score.placeholders import quality


def contract_of(*equations: tuple[list[str], list[str]]) -> Contract:
    text = "equations:\n" + "".join(
        f"  e{index}: {{formula: f, preconditions: {before!r}, postconditions: {after!r}}}\n"
        for index, (before, after) in enumerate(equations)
    )
    contract, problems = parse_contract(text.encode(), "demo-v1.yaml")
    assert contract is not None, problems
    return contract


@pytest.mark.parametrize(
    "text",
    [
        "len(x) > 0",
        "size(input) >= 1",
        "0 < len(x)",
        "len(x) > 0 and len(y) != 0",
        "!input.is_empty()",
        "input.len() > 0 && self.b.len() > 0",
        "x.is_some()",
        "x > 0 or len(x) >= 0",
        "1 == 1",
    ],
)
def test_emptiness_is_a_placeholder(text: str) -> None:
    (found,) = find_placeholders([contract_of(([text], []))])
    assert (found.contract, found.equation, found.text) == ("demo-v1", "e0", text)


@pytest.mark.parametrize(
    "text",
    [
        "len(x) == len(y)",
        "len(x) > 0 and x > 0",
        "x > 0 or x < -1",
        "len(x) >= 2",
        "x == x",
        "a.len() == n * m",
    ],
)
def test_what_can_fail_for_ordinary_values_is_none(text: str) -> None:
    assert find_placeholders([contract_of(([text], []))]) == ()


def test_precondition_pasted_into_most_equations_is_a_placeholder() -> None:
    pasted = (["all(isfinite(x))"], ["ret > 0"])
    own = (["x > 1"], [])
    assert find_placeholders([contract_of(*[pasted] * 4, own)]) == ()
    found = find_placeholders([contract_of(*[pasted] * 5, own)])
    assert [each.reason for each in found] == ["the same in 5 equations"] * 5
    assert find_placeholders([contract_of(*[pasted] * 5, *[own, (["x > 2"], [])] * 3)]) == ()


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ([], [], 0.0),
        (["len(x) > 0"], [], 0.1),
        (["x > 0"], ["len(x) > 0"], 0.5),
        (["x > 0"], ["ret > 0"], 1.0),
    ],
)
def test_quality_counts_only_what_checks(before: list[str], after: list[str], value: float) -> None:
    contract = contract_of((before, after))
    places = frozenset(each.location for each in find_placeholders([contract]))
    assert quality(contract.equations["e0"], places) == value


def test_own_contracts_have_no_placeholder() -> None:
    assert find_placeholders(ContractRegistry.builtin().contracts.values()) == ()
