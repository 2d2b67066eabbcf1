"""Arithmetic of expressions: float64 and IEEE 754, whatever the fields' own types do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracepact.predicate import parse_predicate


def check(text: str, **fields: Any) -> bool:
    return parse_predicate(text).check(**fields)


@pytest.mark.parametrize(
    "text",
    [
        "1 / x == inf",
        "-1 / x == -inf",
        "isnan(x / x)",
        "isnan(inf - inf)",
        "isnan(5 % x)",
        "isnan(log(-1)) and log(x) == -inf",
        "isnan((-8) ** 0.5)",
        "x ** 0 == 1",
        "7 // 2 == 3 and -7 // 2 == -4",
        "7 % 3 == 1 and -7 % 3 == 2",
        "2 ** 3 ** 2 == 512",
        "-2 ** 2 == -4",
        "9 ** 9 ** 9 == inf",
        "exp(1000) == inf",
        "1e308 * 10 == inf",
        "not (nan == nan) and nan != nan",
    ],
)
def test_arithmetic_is_ieee_754_and_never_raises(text: str) -> None:
    assert check(text + " and size(x) == 1", x=0.0)
    assert check(text + " and size(x) == 1", x=np.zeros(1))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float16, np.float32, bool])
def test_narrow_types_do_not_wrap_or_overflow(dtype: type) -> None:
    x = np.array([1, 0, 1, 1], dtype)
    if dtype is not bool:
        x *= 100
    wide = x.astype(np.float64)
    assert check("x * x * 1000 == y", x=x, y=wide * wide * 1000)
    assert check("-x - 200 == y", x=x, y=-wide - 200)
    assert check("sum(x * x * 1000) == y", x=x, y=float((wide * wide * 1000).sum()))
    assert check("row_sums(x * x * 1000) == y", x=x, y=float((wide * wide * 1000).sum()))


@pytest.mark.parametrize(
    "text",
    [
        "(x > 0) + (x > 1) == wanted",
        "(x > 0) * 1 + (x > 1) == wanted",
        "max(x > 0, 2 * (x > 1)) == wanted",
        "where(x > 1, x > 0, x > 0) + (x > 1) == wanted",
    ],
)
def test_truth_values_are_one_and_zero_in_arithmetic(text: str) -> None:
    """NumPy's True + True is True."""
    assert check(text, x=np.array([0, 1, 2]), wanted=np.array([0, 1, 2]))
    assert check(text, x=2.0, wanted=2.0)


def test_truth_values_can_be_subtracted_and_negated() -> None:
    """NumPy refuses both."""
    assert check("(x > 0) - (x < 0) == sign(x)", x=np.array([-3, 0, 2]))
    assert check("-(x > 0) == -1", x=np.ones(3))


def test_functions_of_truth_values_are_float64() -> None:
    """NumPy's exp(True) is a float16."""
    assert check("exp(x > 0) == e", x=np.ones(2), e=np.exp(1.0))


def test_or_and_not_are_elementwise() -> None:
    assert check("x < 0 or x > 1", x=np.array([-1, 2]))
    assert not check("x < 0 or x > 1", x=np.array([-1, 1]))
    assert check("not (x < 0 or x > 1)", x=np.array([0, 1]))
    assert check("(x < 0 or x > 1) == (x < 0 and true or x > 1)", x=np.array([-1, 0.5, 2]))


def test_user_settings_of_numpy_do_not_matter() -> None:
    with np.errstate(all="raise"):
        assert check("1 / x == inf and x + y == inf", x=np.zeros(1), y=np.array([np.inf]))
