"""Formulas that define something are read; prose and relations are refused where they begin."""

from __future__ import annotations

import numpy as np
import pytest

from tracepact.prove.formula import parse_definitions
from tracepact.prove.proof import Undecidable
from tracepact.prove.subject import FormulaSubject

KNOWN = frozenset({"x", "a", "b", "weight", "eps", "position", "tokens", "q_width"})
X = np.array([[1.0, 2.0, 4.0], [0.0, -1.0, 3.0]])
A, B = X, np.arange(12.0).reshape(3, 4)
WEIGHT = np.array([0.5, 1.0, -2.0])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("relu(x) = max(x, 0)", np.maximum(X, 0)),
        ("ret = x", X),
        ("ret = 2 (x + 1) / 4", (X + 1) / 2),
        ("ret = -x^2", -(X**2)),
        ("ret = x * weight / sqrt(mean(x^2) + eps)",
         X * WEIGHT / np.sqrt((X**2).mean(-1, keepdims=True) + 1)),
        ("ret = (x - mean(x)) / sqrt(var(x) + eps)",
         (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1)),
        ("ret = mean(x)", X.mean(-1)),
        ("ret = a b", A @ B),
        ("ret = a a^T", A @ A.T),
        ("ret = x weight", X @ WEIGHT),
        ("ret_ij = sum_k a_ik b_kj", A @ B),
        ("ret_ji = sum_k a_ik b_kj", (A @ B).T),
        ("ret_i = max_j x_ij", X.max(-1)),
        ("ret_i = sum_j where(j == tokens_i, x_ij, 0)", X[[0, 1], [2, 0]]),
        ("s(x)_i = exp(x_i) / sum_k exp(x_k)", np.exp(X) / np.exp(X).sum(-1, keepdims=True)),
        ("ret = b[tokens]", B[[2, 0]]),
        ("ret = argmax(x)", np.array([2, 2])),
    ],
)  # fmt: skip
def test_formula_means_what_it_says(formula: str, expected: np.ndarray) -> None:
    subject = FormulaSubject(parse_definitions(formula, KNOWN), {})
    fields = {"x": X, "a": A, "b": B, "weight": WEIGHT, "eps": 1.0, "tokens": np.array([2, 0])}
    found = subject.compute(fields)["ret"]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_prime_means_after_the_step() -> None:
    subject = FormulaSubject(parse_definitions("position' = position + 1", KNOWN), {})
    assert subject.compute({"old(position)": 4.0})["position"] == 5


def test_later_definitions_use_earlier_ones() -> None:
    subject = FormulaSubject(parse_definitions("q_width = x * x; ret = q_width + 1", KNOWN), {})
    assert subject.compute({"x": 3.0}) == {"q_width": 9.0, "ret": 10.0}


def test_equations_call_each_other() -> None:
    (silu,) = parse_definitions("silu(x) = x / (1 + exp(-x))", KNOWN)
    subject = FormulaSubject(parse_definitions("ret = silu(a) * x", KNOWN), {"silu": silu})
    np.testing.assert_allclose(subject.compute({"a": A, "x": X})["ret"], A / (1 + np.exp(-A)) * X)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("a <= b", "it is a relation, at column 3"),
        ("x / a", "expected '=', not '/' at column 3"),
        ("ret = x on the k largest", "no field is called 'on', at column 9"),
        ("ret = (x", "expected ')', not the end at column 9"),
        ("ret = x, where it is", "unexpected ',' at column 8"),
        ("ret = x = a", "a second '=' at column 9"),
        ("ret = a_ii", "no field is called 'a_ii',"),
        ("ret_i = a_ii", "an index twice in 'a_ii'"),
        ("ret_i = sum_i a_i", "the index 'i' is taken"),
        ("float32(x) = x", "write ret = float32(…)"),
        ("x implies a", "expected '=', not 'implies' at column 3"),
        ("|x| <= a", "expected the name of a result at column 1"),
        ("ret = x @ a", "unexpected '@' at column 9"),
        ("", "no formula"),
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(formula: str, why: str) -> None:
    with pytest.raises(Undecidable) as refused:
        parse_definitions(formula, KNOWN)
    assert why in str(refused.value)


def test_shapes_that_do_not_fit_are_refused() -> None:
    subject = FormulaSubject(parse_definitions("ret = a x", KNOWN), {})
    with pytest.raises(Undecidable, match="the formula cannot be computed"):
        subject.compute({"a": A, "x": X})
