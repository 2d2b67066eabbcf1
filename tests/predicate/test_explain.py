"""After a failure: the first offending element in C order, its value, and what was measured."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.core import measure
from tracepact.predicate import Failure, compile_plan, first_failures, parse_predicate


def failures(*texts: str, tol: float | None = None, **fields: Any) -> list[Failure]:
    conditions = [(parse_predicate(text).node, tol) for text in texts]
    return first_failures(compile_plan(conditions).run(fields))


def failure(text: str, tol: float | None = None, **fields: Any) -> Failure:
    (found,) = failures(text, tol=tol, **fields)
    return found


def grid(**bad: float) -> Any:
    x = np.zeros((2, 3, 4), np.float32)
    for place, value in bad.items():
        x[tuple(int(digit) for digit in place[1:])] = value
    return x


def test_nan_reports_first_index() -> None:
    found = failure("all(isfinite(x))", x=grid(_012=math.nan, _100=math.nan))
    assert found.index == (0, 1, 2)
    assert math.isnan(found.measured["x[0, 1, 2]"])
    assert found.measured["nonfinite_count(x)"] == 2
    assert found.text == "x[0, 1, 2] = nan, nonfinite_count(x) = 2: isfinite(x) is false"


def test_bound_reports_first_index_value_and_extremes() -> None:
    found = failure("0 <= x <= 1", x=grid(_102=1.5, _110=2.5))
    assert found.index == (1, 0, 2)
    assert found.measured == {"x[1, 0, 2]": 1.5, "min(x)": 0.0, "max(x)": 2.5}
    assert found.text == "x[1, 0, 2] = 1.5, min(x) = 0, max(x) = 2.5: x <= 1 is false"


def test_first_means_first_in_c_order_whatever_the_layout() -> None:
    x = grid(_012=9, _100=9)
    assert failure("x < 1", x=np.asfortranarray(x)).index == (0, 1, 2)
    assert failure("x < 1", x=x.transpose(2, 1, 0)).index == (0, 0, 1)


def test_row_claim_reports_the_row() -> None:
    x = np.full((2, 3, 4), 0.25)
    x[1, 2] = 0.2
    found = failure("abs(row_sums(x) - 1) <= tol", tol=1e-6, x=x)
    assert found.index == (1, 2)
    assert found.measured["row_sums(x)[1, 2]"] == pytest.approx(0.8)
    assert found.measured["tol"] == 1e-6


def test_claim_about_a_whole_field_has_no_index() -> None:
    found = failure("abs(sum(x) - 1) <= tol and len(x) == 2", tol=1e-6, x=grid(_000=3))
    assert (found.index, found.measured) == (None, {"sum(x)": 3.0, "tol": 1e-6})
    assert found.text == "sum(x) = 3, tol = 1e-06: abs(sum(x) - 1) <= tol is false"


def test_claim_about_a_number_has_no_index() -> None:
    assert failure("used <= capacity", used=9, capacity=8) == Failure(
        0, {"capacity": 8.0, "used": 9.0}, None, "capacity = 8, used = 9: used <= capacity is false"
    )
    assert failure("x < 1", x=np.array(3, np.int8)).measured == {
        "x": 3.0,
        "min(x)": 3.0,
        "max(x)": 3.0,
    }


def test_several_fields_report_their_own_indices() -> None:
    """A broadcast axis has one element, whatever the index along it."""
    x, y = np.zeros((3, 4)), np.ones((3, 1))
    x[2, 3] = 5
    found = failure("x <= y * z + s", x=x, y=y, z=np.array([1, 1, 1, 1]), s=0.5)
    assert found.index == (2, 3)
    assert found.measured == {"x[2, 3]": 5.0, "y[2, 0]": 1.0, "z[3]": 1.0, "s": 0.5}


def test_narrow_types_are_shown_as_numbers() -> None:
    found = failure("x < y", x=np.array([0, 3], ml_dtypes.bfloat16), y=np.array([1, 1], ">f2"))
    assert found.measured == {"x[1]": 3.0, "y[1]": 1.0}


def test_truth_values_are_judged_as_such() -> None:
    """The first element that counts as false, not the smallest."""
    assert failure("mask", mask=np.array([1.0, -1, 0, -5])).index == (2,)


def test_shapes_and_dtypes_are_shown_as_they_are() -> None:
    found = failure('shape(x) == (2, 3) and dtype(x) == "float64"', x=grid())
    assert found.measured == {"shape(x)": (2, 3, 4)}
    found = failure('dtype(x) == "float64"', x=grid())
    assert found.measured == {"dtype(x)": "float32"}


def test_old_value_is_named() -> None:
    found = failure("x == old(x)", **{"x": np.array([1, 2]), "old(x)": np.array([1, 3])})
    assert found.measured == {"old(x)[1]": 3.0, "x[1]": 2.0}


def test_statistics_are_explained_by_themselves() -> None:
    found = failure("x <= 1", x=measure(np.array([0.5, 7])))
    assert (found.index, found.measured) == (None, {"min(x)": 0.5, "max(x)": 7.0})


def test_claim_without_anything_measured_is_shown() -> None:
    assert failure("false", x=1) == Failure(0, {}, None, "0")


def test_each_condition_has_one_failure_of_its_first_test() -> None:
    found = failures("x > 1 and x > 2", "x > 0", "x < 0", x=np.array([0.5, 1]))
    assert [(f.condition, f.text.rpartition(": ")[2]) for f in found] == [
        (0, "x > 1 is false"),
        (2, "x < 0 is false"),
    ]


def test_index_is_found_beyond_the_first_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tracepact.core.python", "tracepact.predicate.plan"):
        monkeypatch.setattr(f"{module}.CHUNK_ELEMENTS", 5)
    assert failure("x < y", x=grid(_113=3, _120=4), y=np.float32(1)).index == (1, 1, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e20, "1e+20"), (0.1 + 0.2, "0.3"), (-3.0, "-3"), (math.inf, "inf"), (1e-9, "1e-09")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert failure("x != x", x=value).text == f"x = {text}: x != x is false"
