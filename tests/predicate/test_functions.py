"""The closed list of functions."""

from __future__ import annotations

import numpy as np
import pytest

from tracepact.predicate import Predicate, parse_predicate
from tracepact.predicate.functions import FUNCTIONS, FunctionKind, is_elementwise

ELEMENTWISE = {
    # call: what it yields for x = [-2.5, 0, 4]
    "abs(x)": [2.5, 0, 4],
    "sqrt(abs(x) * 4)": [10**0.5, 0, 4],
    "exp(x * 0)": [1, 1, 1],
    "log(exp(x))": [-2.5, 0, 4],
    "floor(x)": [-3, 0, 4],
    "ceil(x)": [-2, 0, 4],
    "round(x)": [-2, 0, 4],
    "sign(x)": [-1, 0, 1],
    "isfinite(x)": [1, 1, 1],
    "isnan(x)": [0, 0, 0],
    "isinf(x)": [0, 0, 0],
    "where(x > 0, x, -1)": [-1, -1, 4],
    "min(x, 0, 3)": [-2.5, 0, 0],
    "max(x, 0, 3)": [3, 3, 4],
}


@pytest.mark.parametrize("call", ELEMENTWISE)
def test_elementwise_function(call: str) -> None:
    x = np.array([-2.5, 0, 4])
    claim = parse_predicate(f"close({call}, wanted, 1e-12)")
    assert claim.check(x=x, wanted=np.array(ELEMENTWISE[call]))
    assert not claim.check(x=x, wanted=np.array(ELEMENTWISE[call]) + 1e-9)


REDUCTIONS = {
    # call: its value for x = [[-2, 0, 4], [1, 4, -2]]
    "sum(x)": 5,
    "mean(x)": 5 / 6,
    "std(x)": np.std([-2, 0, 4, 1, 4, -2]),
    "norm(x)": 41**0.5,
    "min(x)": -2,
    "max(x)": 4,
    "argmin(x)": 0,
    "argmax(x)": 2,
    "count(x > 0)": 3,
    "count(x)": 5,
    "all(x >= -2)": 1,
    "all(x)": 0,
    "any(x > 4)": 0,
    "any(x)": 1,
    "all(isfinite(x))": 1,
    "any(isnan(x))": 0,
    "any(isinf(x))": 0,
    "len(x)": 2,
    "size(x)": 6,
    "ndim(x)": 2,
    "itemsize(x)": 8,
    "shape(x)[0]": 2,
    "shape(x)[-1]": 3,
}


@pytest.mark.parametrize("call", REDUCTIONS)
def test_reduction_and_question(call: str) -> None:
    claim = parse_predicate(f"close({call} + 0, wanted, 1e-12)")
    x = np.array([[-2.0, 0, 4], [1, 4, -2]])
    assert claim.check(x=x, wanted=REDUCTIONS[call])
    assert not claim.check(x=x, wanted=REDUCTIONS[call] + 1)


ROWS = {
    # call: its value for x = [[-2, 0, 4], [1, 4, -2]], y = [1, 2, 3]
    "row_sums(x)": [2, 3],
    "row_norms(x)": [20**0.5, 21**0.5],
    "row_min(x)": [-2, -2],
    "row_max(x)": [4, 4],
    "row_argmax(x)": [2, 1],
    "row_dots(x, y)": [10, 3],
    "row_dots(y, x)": [10, 3],
    "row_dots(x, x)": [20, 21],
    "row_sums(x * y + 1)": [13, 6],
    "row_dots(x - 1, 2)": [-2, 0],
    "row_sums(abs(x))": [6, 7],
}


@pytest.mark.parametrize("call", ROWS)
def test_row_reduction(call: str) -> None:
    x, y = np.array([[-2.0, 0, 4], [1, 4, -2]]), np.array([1, 2, 3])
    claim = parse_predicate(f"close({call}, wanted, 1e-12) and size(y) == 3")
    assert claim.check(x=x, y=y, wanted=np.array(ROWS[call]))
    assert not claim.check(x=x, y=y, wanted=np.array(ROWS[call]) + [0, 1])


def test_row_reduction_of_a_constant_is_one_row_of_one_element() -> None:
    assert parse_predicate("row_sums(5) == 5").check()


def test_every_function_is_tested_here() -> None:
    calls = " ".join([*ELEMENTWISE, *REDUCTIONS, *ROWS, "dtype( old("])
    assert [name for name in FUNCTIONS if f"{name}(" not in calls] == []


def test_questions_about_a_number() -> None:
    claim = parse_predicate("len(x) == 1 and ndim(x) == 0 and shape(x) == () and size(x) == 1")
    assert claim.check(x=3)
    assert parse_predicate('dtype(x) == "float64"').check(x=3.0)


def test_old_is_a_field_of_its_own() -> None:
    claim = parse_predicate("x == old(x) + 1")
    assert claim.fields == {"x", "old(x)"}
    assert claim.check(**{"x": 3.0, "old(x)": 2.0})


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [("abs", 1, True), ("min", 1, False), ("min", 2, True), ("max", 3, True), ("sum", 1, False)],
)
def test_min_and_max_are_elementwise_with_several_arguments(
    name: str, count: int, expected: bool
) -> None:
    assert is_elementwise(name, count) is expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_takes_at_least_one_argument(name: str) -> None:
    function = FUNCTIONS[name]
    assert 1 <= function.minimum <= function.maximum
    assert (function.compute is not None) >= (function.kind is FunctionKind.ELEMENTWISE)


def test_predicate_is_a_value() -> None:
    assert parse_predicate("x < 1") == Predicate("x < 1", parse_predicate("x<1").node)
