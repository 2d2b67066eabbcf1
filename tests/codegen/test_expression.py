"""Predicates as Python expressions."""

from __future__ import annotations

import ast

import pytest

from tracepact.codegen.expression import expression
from tracepact.codegen.prelude import helper_names
from tracepact.predicate.functions import FUNCTIONS, FunctionKind
from tracepact.predicate.python_dialect import parse

NAMES = {"x": "x", "y": "y", "tol": "tol", "old(x)": "old_x", "dtype(x)": "x_dtype"}


def written(text: str) -> str:
    return expression(parse(text), NAMES)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("0 <= x <= 1 + tol", "(0.0 <= x) & (x <= 1.0 + tol)"),
        ("abs(row_sums(x) - 1) <= tol", "abs(_row_sums(x) - 1.0) <= tol"),
        ("x - (y - 1) == -x", "x - (y - 1.0) == -x"),
        ("(x + 1) * 2 == -(1 + y)", "(x + 1.0) * 2.0 == -(1.0 + y)"),
        ("x / y ** 2 == 7 // 2 % 3", None),
        ("x ** 2 / 0 == inf", "_divide(_power(x, 2.0), 0.0) == np.inf"),
        ("x == -inf or x == nan", "(x == -np.inf) | (x == np.nan)"),
        ("not x > 1 and y", "_not(x > 1.0) & (y != 0.0)"),
        ("x == (y > 1) + 1", "x == (y > 1.0) + 0.0 + 1.0"),
        ("all(x) and count(y > 1) == 2", "_holds(x != 0.0) & (_sum((y > 1.0) + 0.0) == 2.0)"),
        ("min(x, y, 1) == min(x)", "_least(_least(x, y), 1.0) == _min(x)"),
        ("where(x > 0, y, -1) == 0", "_where(x > 0.0, y, -1.0) == 0.0"),
        ("round(x) == exp(y)", "np.rint(_wide(x)) == np.exp(_wide(y))"),
        ("shape(x) == (2, len(y))", "np.shape(x) == (int(2.0), int(_length(y)))"),
        ("shape(x)[-1] == shape(y)[0]", "float(np.shape(x)[-1]) == float(np.shape(y)[0])"),
        ('dtype(x) == "it\'s" and itemsize(x) == 2', None),
        ("x == old(x) + 1", "x == old_x + 1.0"),
    ],
)
def test_expression_reads_like_the_predicate(text: str, source: str | None) -> None:
    found = written(text)
    ast.parse(found, mode="eval")
    if source is not None:
        assert found == source


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_of_the_language_can_be_exported(function: str) -> None:
    """Each is NumPy's, a builtin, or one of the helpers that are copied into the module."""
    count = FUNCTIONS[function].minimum
    text = f"{function}({', '.join(['x', 'y', 'tol'][:count])})"
    used = {n.id for n in ast.walk(ast.parse(written(text))) if isinstance(n, ast.Name)}
    known = {*helper_names(), *NAMES.values(), "np", "abs", "float"}
    assert used <= known
    if FUNCTIONS[function].kind is FunctionKind.META:
        assert "tol" not in used


def test_texts_are_quoted_by_python() -> None:
    source = written("dtype(x) == '); import os #'")
    assert source == "x_dtype.name == '); import os #'"


def test_missing_name_is_an_error_not_a_guess() -> None:
    with pytest.raises(KeyError):
        expression(parse("z > 1"), NAMES)
