"""Texts compare with dtypes, tuples with shapes, and a claim is not a number."""

from __future__ import annotations

import pytest

from tracepact.predicate import PredicateError, parse_formula, parse_predicate
from tracepact.predicate.ast import Slot, Text
from tracepact.predicate.kinds import check_kinds, is_truth
from tracepact.predicate.python_dialect import parse


@pytest.mark.parametrize(
    "text",
    [
        'dtype(x) == "float32"',
        '"float32" != dtype(x)',
        "dtype(x) == dtype(y)",
        "shape(x) == (2, 3)",
        "shape(x) != shape(y)",
        "shape(x) == (shape(y)[0], 3)",
        "shape(x)[0] + 1 < 3",
        "converged",
        "not converged and x <= 1",
        "true",
        "x < 1 or false",
        "where(x > 0, y > 0, true)",
        "old(flag)",
        "all(x)",
        "any(x > 0)",
        "isfinite(x)",
        "(x > 0) + (y > 0) == 1",
    ],
)
def test_claim_is_accepted(text: str) -> None:
    assert parse_predicate(text).text == text


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ('"float32"', 0, "a text is not a number"),
        ("dtype(x)", 0, "a text is not a number"),
        ('x == "float32"', 5, "a text is not a number"),
        ('dtype(x) < "float32"', 0, "a text is not a number"),
        ('dtype(x) == "a" + "b"', 0, "a text is not a number"),
        ("dtype(x) == shape(x)", 0, "a text is not a number"),
        ("(1, 2)", 0, "a shape is not a number"),
        ("()", 0, "a shape is not a number"),
        ("shape(x)", 0, "a shape is not a number"),
        ("shape(x) < (1, 2)", 0, "a shape is not a number"),
        ("shape(x) == 3", 0, "a shape is not a number"),
        ("shape(x) == ((1, 2), 3)", 13, "a shape is not a number"),
        ("min((1, 2)) < 3", 4, "a shape is not a number"),
        ("sum(x)", 0, "this is a number, not a claim"),
        ("x - 1", 2, "this is a number, not a claim"),
        ("-x", 0, "this is a number, not a claim"),
        ("3", 0, "this is a number, not a claim"),
        ("x < 1 and max(x)", 10, "this is a number, not a claim"),
        ("not (x < 1 or count(x))", 14, "this is a number, not a claim"),
    ],
)
def test_mixture_is_refused_where_it_stands(text: str, offset: int, reason: str) -> None:
    """Python would take each of them for true or false."""
    with pytest.raises(PredicateError) as caught:
        parse_predicate(text)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)
    assert caught.value.hint


def test_formula_may_be_a_number_but_not_a_text() -> None:
    assert parse_formula("a = sum(x)").name == "a"
    with pytest.raises(PredicateError, match="a text is not a number"):
        parse_formula("a = dtype(x)")


def test_tree_without_positions_is_checked_too() -> None:
    with pytest.raises(PredicateError):
        check_kinds(Text("t"), "t")


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("x < 1", True),
        ("x and y", True),
        ("not x", True),
        ("isnan(x)", True),
        ("all(x)", True),
        ("-x", False),
        ("x", False),
        ("abs(x)", False),
        ("count(x)", False),
    ],
)
def test_truth_is_told_from_number(text: str, truth: bool) -> None:
    assert is_truth(parse(text)) is truth


def test_measured_slot_counts_as_a_number() -> None:
    assert not is_truth(Slot(0, "max(x)"))
