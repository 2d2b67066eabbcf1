"""Predicates and formulas as their users meet them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tracepact.errors import ConfigError
from tracepact.predicate import MeasureError, PredicateError, parse_formula, parse_predicate
from tracepact.types import SourceLocation

HERE = SourceLocation("softmax.yaml", 14, 9)


def test_predicate_knows_its_fields_and_whether_it_uses_a_tolerance() -> None:
    predicate = parse_predicate("abs(row_sums(ret) - old(s)) <= tol * len(x)")
    assert predicate.fields == {"ret", "old(s)", "x"}
    assert predicate.uses_tolerance
    assert not parse_predicate("tolerance <= 1").uses_tolerance


def test_check_says_whether_the_claim_holds() -> None:
    predicate = parse_predicate("abs(sum(ret) - 1) < tol")
    assert predicate.check(ret=[0.5, 0.5], tol=1e-6)
    assert not predicate.check(ret=[0.5, 0.6], tol=1e-6)


def test_explain_is_empty_when_the_claim_holds() -> None:
    predicate = parse_predicate("0 <= ret <= 1")
    assert predicate.explain(ret=[0, 1]) == ""
    assert predicate.explain(ret=[0, 2]).startswith("ret[1] = 2")


@pytest.mark.parametrize("method", ["check", "explain"])
def test_missing_field_is_named_with_those_given(method: str) -> None:
    predicate = parse_predicate("x < y and y < z")
    with pytest.raises(ConfigError, match=r"'x < y and y < z' needs x, z; given: a, y"):
        getattr(predicate, method)(y=1, a=2)
    with pytest.raises(ConfigError, match="needs x, y, z; given: nothing"):
        getattr(predicate, method)()


@pytest.mark.parametrize("method", ["check", "explain"])
def test_missing_tolerance_is_asked_for(method: str) -> None:
    with pytest.raises(ConfigError, match="'x < tol' uses a tolerance; pass tol="):
        getattr(parse_predicate("x < tol"), method)(x=1)


def test_fields_that_do_not_fit_are_an_error_not_a_verdict() -> None:
    with pytest.raises(MeasureError):
        parse_predicate("x < y").check(x=np.ones(2), y=np.ones(3))


def test_field_may_have_any_name() -> None:
    """`self` is a name like any other."""
    assert parse_predicate("self < text").check(self=1, text=2)
    assert parse_formula("a = self + fields").evaluate(self=1, fields=2) == 3
    assert parse_predicate("self > 1").explain(self=0).startswith("self = 0")


def test_mistake_is_shown_with_its_place_in_the_file() -> None:
    with pytest.raises(PredicateError) as caught:
        parse_predicate("x <> 1", origin=HERE)
    assert str(caught.value).startswith("softmax.yaml:14:9: unexpected '>'\n  x <> 1\n     ^")
    assert caught.value.offset == 3


# -- formulas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields", "value"),
    [
        ("bw_ceiling = bandwidth / (bytes / 1e9)", {"bandwidth": 20, "bytes": 4e9}, 5.0),
        ("  a1 = min(x, y) ** 2 ", {"x": 3, "y": np.float32(2)}, 4.0),
        ("rows = len(x) * shape(x)[1]", {"x": np.ones((2, 5))}, 10.0),
        ("total = sum(x)", {"x": np.full(3, 100, np.int8)}, 300.0),
        ("square = x * x", {"x": np.array(100, np.int8)}, 10_000.0),
        ("one = x + 1", {"x": np.array([[2.0]])}, 3.0),
        ("yes = x == 1", {"x": 1}, 1.0),
        ("ratio = 1 / x", {"x": 0}, math.inf),
        ("constant = 2 ** 10", {}, 1024.0),
    ],
)
def test_formula_yields_a_number(text: str, fields: dict[str, Any], value: float) -> None:
    result = parse_formula(text).evaluate(**fields)
    assert (result, type(result)) == (value, float)


def test_formula_knows_its_name_and_fields() -> None:
    formula = parse_formula("us_per_token = 1e6 / tokens_per_s")
    assert (formula.name, formula.fields) == ("us_per_token", {"tokens_per_s"})
    assert formula == parse_formula("us_per_token = 1e6 / tokens_per_s")


def test_formula_names_missing_fields() -> None:
    with pytest.raises(ConfigError, match="needs b; given: a"):
        parse_formula("c = a + b").evaluate(a=1)


@pytest.mark.parametrize("x", [np.ones(2), np.ones(0), "text"])
def test_formula_over_many_elements_is_an_error(x: Any) -> None:
    with pytest.raises(MeasureError):
        parse_formula("y = x + 1").evaluate(x=x)


@pytest.mark.parametrize("text", ["x + 1", "x == 1", "= 1", "2 = x", "x.y = 1", "", "x <= 1"])
def test_formula_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(PredicateError, match="a formula is written 'name = expression'") as caught:
        parse_formula(text, origin=HERE)
    assert str(caught.value).startswith("softmax.yaml:14:9: ")


def test_mistake_in_a_formula_is_placed_in_the_whole_text() -> None:
    with pytest.raises(PredicateError) as caught:
        parse_formula("value = sums(x)", origin=HERE)
    assert (caught.value.offset, caught.value.text) == (8, "value = sums(x)")
    assert "softmax.yaml:14:9: unknown function 'sums'" in str(caught.value)
    assert "did you mean 'sum'?" in caught.value.hint


def test_mistake_in_a_very_long_formula_shows_a_piece_of_it() -> None:
    with pytest.raises(PredicateError, match="too long") as caught:
        parse_formula("a = " + "1" * 100_000)
    assert len(str(caught.value)) < 500
