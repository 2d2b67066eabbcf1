"""Lowering: what is measured, how often, and which tests need no look at elements."""

from __future__ import annotations

import pytest

from tracepact.core import Stat
from tracepact.predicate.ast import Name, Slot, unparse, walk
from tracepact.predicate.lower import Column, Lowering, Meta, Rows, Tolerance, field_names
from tracepact.predicate.python_dialect import parse


def lowered(*texts: str, tolerance: float | None = 1e-6) -> Lowering:
    lowering = Lowering()
    for index, text in enumerate(texts):
        lowering.add(index, parse(text), tolerance)
    return lowering


def is_fast(text: str) -> bool:
    """Whether every test of the predicate is over measured numbers alone."""
    fast = [test.fast for test in lowered(text).tests]
    return not any(isinstance(part, Name) for tree in fast for part in walk(tree))


@pytest.mark.parametrize(
    "text",
    [
        "x <= 1",
        "x < 1 and x > 0",
        "0 <= x <= 1",
        "x in (0, 1]",
        "x == 1",
        "1 == x",
        "-x <= 1",
        "x * 2 - 1 < 3",
        "2 * x < 3",
        "1 - x / -4 >= 0",
        "x - max(x) <= 0",
        "x <= sum(y)",
        "abs(x) <= 1",
        "abs(x - 1) < tol",
        "1 >= abs(1 - x)",
        "close(x, 1, 1e-6)",
        "isfinite(x)",
        "not isnan(x)",
        "not isinf(x)",
        "all(isfinite(x))",
        "not any(isnan(x))",
        "not any(isinf(x))",
        "all(x > 0)",
        "all(0 <= x <= 1 and max(x) > 0)",
        "row_sums(x) == 1",
        "abs(row_sums(x) - 1) <= tol",
        "max(x) <= 1 or any(isnan(x))",
        "count(x > 0) <= 3",
        "shape(x) == shape(y)",
    ],
)
def test_test_needs_numbers_only(text: str) -> None:
    assert is_fast(text)


@pytest.mark.parametrize(
    "text",
    [
        "x <= y",
        "x * x <= 1",
        "x * max(x) <= 1",
        "x - x <= 1",
        "x * 0 <= 1",
        "x * inf <= 1",
        "1 / x <= 1",
        "x // 2 <= 1",
        "x % 2 == 0",
        "x != 1",
        "x < x + 1",
        "abs(x) >= 1",
        "abs(x) == 1",
        "abs(x * x) <= 1",
        "abs(abs(x)) <= 1",
        "exp(x) <= 1",
        "x < 1 or x > 2",
        "not x < 1",
        "isnan(x)",
        "x",
        "(x < 1) + 1 < 2",
        "all(x < 1 and x != 0)",
        "all(x < 1 and y < 1)",
    ],
)
def test_test_looks_at_every_element(text: str) -> None:
    """Not monotone in one field, so its extremes do not decide it."""
    assert not is_fast(text)


def test_conjuncts_become_tests_of_their_condition() -> None:
    tests = lowered("x > 0 and x < 1", "all(all(y > 0))", "not any(z > 0)").tests
    assert [(test.condition, unparse(test.pointwise)) for test in tests] == [
        (0, "x > 0"),
        (0, "x < 1"),
        (1, "y > 0"),
        (2, "not z > 0"),
    ]


def test_field_is_measured_once_however_often_it_is_used() -> None:
    steps = lowered("0 <= x <= 1", "all(isfinite(x))", "abs(sum(x) - 1) < 1", "mean(x) < 1").steps
    assert steps == [
        Column(Name("x"), Stat.COUNTS | Stat.RANGE | Stat.SUM | Stat.MOMENTS, steps[0].slots)  # type: ignore[union-attr]
    ]


def test_statistic_and_question_have_one_slot_however_often_they_are_used() -> None:
    lowering = lowered("max(x) < 1", "max(x) > -1 and len(y) == 3", "max(x) != 0 and len(y) > 2")
    assert lowering.slot_count == 2
    assert [type(step) for step in lowering.steps] == [Column, Meta]


def test_expression_is_measured_once() -> None:
    steps = lowered("sum(x * y) < 1 and max(x * y) < 1", "min(x * y) > 0").steps
    assert [unparse(step.expression) for step in steps if isinstance(step, Column)] == ["x * y"]


def test_row_reduction_runs_once_and_before_what_uses_it() -> None:
    steps = lowered("row_sums(x) <= 1", "row_sums(x) >= 0", "mean(row_sums(x)) > 0").steps
    assert [type(step) for step in steps] == [Rows, Column]


def test_measuring_asks_for_no_more_than_is_used() -> None:
    (step,) = lowered("all(isfinite(x))").steps
    assert isinstance(step, Column)
    assert step.wanted == Stat.COUNTS


def test_tolerance_of_one_predicate_is_not_that_of_another() -> None:
    """Both are called `tol`, and scale with the fields of their own predicate."""
    lowering = lowered("max(x * tol) < 1", "max(x * tol) < len(y)", "row_sums(x * tol) < len(z)")
    tolerances = [step for step in lowering.steps if isinstance(step, Tolerance)]
    assert [step.fields for step in tolerances] == [("x",), ("x", "y"), ("x", "z")]
    columns = [step for step in lowering.steps if isinstance(step, Column)]
    slots = [index for column in columns for _, index in column.slots]
    assert len(slots) == len(set(slots))


def test_rows_over_two_tolerances_are_two_reductions() -> None:
    steps = lowered("row_sums(x * tol) < y", "row_sums(x * tol) < z").steps
    assert [step.label for step in steps if isinstance(step, Rows)] == [
        "row_sums(x * tol)",
        "row_sums(x * tol)'",
    ]


def test_slots_are_labelled_with_what_they_measure() -> None:
    lowering = lowered("max(x * 2) - tol < shape(y)[-1] and any(isnan(x)) == false")
    labels = {part.label for t in lowering.tests for part in walk(t.fast) if isinstance(part, Slot)}
    assert labels == {"max(x * 2)", "tol", "shape(y, -1)", "nan_count(x)"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x < y + tol", {"x", "y"}),
        ("old(x) == x", {"x", "old(x)"}),
        ("old(x) == y", {"old(x)", "y"}),
        ("row_dots(a, b) < shape(c)[0]", {"a", "b", "c"}),
        ("1 < 2", set()),
    ],
)
def test_field_names_are_what_a_producer_hands_in(text: str, names: set[str]) -> None:
    assert field_names(parse(text)) == names
