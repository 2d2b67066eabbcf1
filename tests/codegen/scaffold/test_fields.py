"""Order, shapes and the result are read from what the equation says."""

from __future__ import annotations

import pytest

from tracepact.codegen.scaffold.fields import (
    is_power,
    measured_arrays,
    ordered_fields,
    result_field,
    shape_of,
)
from tracepact.contracts import Condition, Equation
from tracepact.contracts.conditions import ConditionKind
from tracepact.predicate import parse_predicate
from tracepact.types import SourceLocation

PLACE = SourceLocation("demo-v1.yaml", 1, 1)


def condition(text: str, kind: ConditionKind = "postcondition") -> Condition:
    predicate = parse_predicate(text)
    return Condition(kind, predicate, text, text, 1e-6, "demo-v1", "demo", PLACE)


def equation(formula: str = "", domain: str = "", codomain: str = "") -> Equation:
    return Equation(name="e", formula=formula, domain=domain, codomain=codomain, location=PLACE)


def test_fields_come_in_order_of_appearance_and_once() -> None:
    conditions = [condition("z > b", "precondition"), condition("abs(a - old(z)) <= tol * b")]
    assert ordered_fields(conditions) == ("z", "b", "a")


@pytest.mark.parametrize(
    ("formula", "conditions", "result"),
    [
        ("y = x + 1", [condition("ret == x + 1")], "ret"),
        ("y = x + 1", [condition("y == x + 1")], "y"),
        ("y = x + 1", [condition("x > 0")], None),
        ("y == x", [condition("y == x")], None),
        ("y = x + 1", [condition("y > 0", "precondition"), condition("y > x")], None),
        ("y = y + 1", [condition("y == old(y) + 1")], None),
        ("y = x; z = 2 * x", [condition("y == x"), condition("z == 2 * x")], None),
    ],
)
def test_result_is_ret_or_what_the_formula_alone_assigns(
    formula: str, conditions: list[Condition], result: str | None
) -> None:
    assert result_field(equation(formula), conditions) == result


@pytest.mark.parametrize(
    ("domain", "shape"),
    [
        ("x [..., n], n >= 1", "[..., n]"),
        ("gate, x [T, ff] finite", "[T, ff]"),
        ("x (queries) [T, H, hd], keys [KV, S, hd]", "[T, H, hd]"),
        ("max [n], x > 0", ""),
        ("x [-inf, inf]", ""),
        ("x [0, +∞]", ""),
        ("x [0, 1]", ""),
        ("x in [0, 1]", ""),
    ],
)
def test_shape_is_what_the_domain_writes_behind_a_name(domain: str, shape: str) -> None:
    assert shape_of("x", equation(domain=domain)) == shape


def test_long_domain_takes_bounded_time() -> None:
    assert shape_of("x", equation(domain="x, " * 100_000)) == ""
    assert shape_of("x", equation(domain="x (" * 100_000)) == ""


@pytest.mark.parametrize(
    ("codomain", "is_array"), [("R^[..., n]", True), ("[0, 1]^n", True), ("[0, 1]", False)]
)
def test_power_is_the_codomain_of_arrays(codomain: str, is_array: bool) -> None:
    assert is_power(codomain) is is_array


def test_array_is_what_only_an_array_can_be() -> None:
    conditions = [
        condition("shape(a) == shape(b)"),
        condition("abs(row_sums(c) - 1) <= tol"),
        condition("sum(d * scale) == max(e, f)"),
    ]
    assert measured_arrays(conditions) == {"a", "b", "c"}
