"""The native plan judges limits over extremes and row sums as the Python plan does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tracepact.core import using_core
from tracepact.predicate import compile_plan, parse_predicate

native = pytest.importorskip("tracepact.core._native", reason="this build has no native core")

SOFTMAX = ("all(isfinite(ret))", "0 <= ret <= 1 + tol", "abs(row_sums(ret) - 1) <= tol")
FORMS = (
    ("ret <= 1 + tol",),
    ("ret <= tol + 1",),
    ("-1 - tol <= ret <= tol",),
    ("abs(ret) <= tol",),
    ("abs(ret) <= 1",),
    ("abs(ret - 1) <= tol",),
    ("abs(1 - ret) <= 1 + tol",),
    ("abs(ret - 1) < tol",),
    ("0.25 <= ret",),
    ("-0.25 <= ret",),
    ("0 <= ret", "row_sums(ret) <= 1 + tol"),
    ("0 <= ret", "mean(ret) <= tol"),
    ("0 <= ret", "max(ret) - min(ret) <= tol"),
    ("0 <= ret", "min(ret) <= tol"),
    ("0 <= ret", "-min(ret) <= tol"),
)
SHAPES = ((1,), (5,), (128,), (4096,), (40_000,), (3, 130), (2, 3, 17), (1, 1), (), (0,), (4, 0))


@pytest.fixture(autouse=True)
def _every_core() -> None:
    """This file is about one core alone; it need not run once with each."""


@pytest.fixture(params=native.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine."""
    before = native.isa()
    native.set_isa(request.param)
    yield request.param
    native.set_isa(before)


def verdicts(texts: tuple[str, ...], tol: float, ret: Any) -> tuple[bool | None, bool]:
    """Of the native and of the Python plan."""
    plan = compile_plan([(parse_predicate(text).node, tol) for text in texts])
    assert plan.native is not None
    with using_core("python"):
        return plan.native.run(ret), not plan.run({"ret": ret}).failed


@pytest.mark.parametrize("texts", FORMS, ids=" and ".join)
@pytest.mark.parametrize("tol", [1e-6, 0.5])
def test_a_limit_is_kept_to_the_last_bit(texts: tuple[str, ...], tol: float) -> None:
    edges = [0.0, -0.0, tol, 1.0, 1 + tol, 1 - tol, 2 + tol, -tol, -1 - tol, 0.25, -0.25]
    values = [math.nextafter(e, to) for e in edges for to in (-math.inf, e, math.inf)]
    for value in (*values, math.nan, math.inf, -math.inf):
        for n in (1, 3):
            found, expected = verdicts(texts, tol, np.full(n, value))
            assert found is expected, (value, n)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_wrong_element_is_found_wherever_it_is(isa: str, shape: tuple[int, ...]) -> None:
    right = np.full(shape, 1 / (shape[-1] if shape and shape[-1] else 1), np.float32)
    holds = right.size > 0  # the sum of no element is 0
    assert verdicts(SOFTMAX, 1e-6, right) == (holds, holds)
    wrong = (-1e-30, -0.25, -0.0, 2.0, math.nan, math.inf, -math.inf, 1e-45)
    for place in {0, right.size // 2, right.size - 1} if right.size else ():
        for value in wrong:
            array = right.copy()
            array.flat[place] = value
            found, expected = verdicts(SOFTMAX, 1e-6, array)
            assert found is expected, (place, value)


@pytest.mark.parametrize("shape", [(5,), (4096,), (3, 130)], ids=str)
def test_negative_zeros_are_not_negative(isa: str, shape: tuple[int, ...]) -> None:
    assert verdicts(("0 <= ret <= 1 + tol",), 1e-6, np.full(shape, -0.0, np.float32)) == (
        True,
        True,
    )


@pytest.mark.parametrize("texts", FORMS, ids=" and ".join)
@pytest.mark.parametrize("value", [0.0, 0.1, 0.25, 0.5, 1.0, 1.5])
def test_every_form_holds_of_float32_as_in_python(
    isa: str, texts: tuple[str, ...], value: float
) -> None:
    for n in (1, 3, 200):
        found, expected = verdicts(texts, 0.5, np.full(n, value, np.float32))
        assert found is expected, n
