"""A plan: one pass over each array, any dtype and layout, and errors that say which field."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.core import Stat, TensorStats, measure
from tracepact.predicate import MeasureError, Plan, compile_plan, parse_predicate
from tracepact.types import Array

DTYPES = [
    *(np.float64, np.float32, np.float16, np.longdouble, ">f4", "<f8"),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    *(np.int8, np.int64, np.uint8, ">i2", np.uint64),
]


def plan_of(*texts: str, tol: float | None = None, also: dict[str, Stat] | None = None) -> Plan:
    return compile_plan([(parse_predicate(text).node, tol) for text in texts], also)


def failed(plan: Plan, **fields: Any) -> list[int]:
    return [test.test.condition for test in plan.run(fields).failed]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The values that plans hand to `measure`, in order."""
    calls = []

    def counted(value: Any, wanted: Stat) -> TensorStats:
        calls.append(value)
        return measure(value, wanted)

    monkeypatch.setattr("tracepact.predicate.plan.measure", counted)
    return calls


def test_all_conditions_share_one_pass_over_each_array(measured: list[Any]) -> None:
    plan = plan_of(
        "0 <= x <= 1",
        "all(isfinite(x))",
        "not any(isnan(x))",
        "abs(sum(x) - 2) < 1 and mean(x) > 0",
        "max(x) - min(x) <= std(x) * 10",
        "y > 0 and argmax(y) == 0",
    )
    x, y = np.array([0.5, 0.5, 1]), np.array([1.0, 1.0])
    assert failed(plan, x=x, y=y) == []
    assert [id(value) for value in measured] == [id(x), id(y)]


def test_field_is_not_measured_where_only_its_elements_count(measured: list[Any]) -> None:
    assert failed(plan_of("x < y"), x=np.zeros(3), y=np.ones(3)) == []
    assert measured == []


def test_extremes_are_tested_instead_of_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: Any) -> Any:
        raise AssertionError("elements were looked at")

    monkeypatch.setattr("tracepact.predicate.plan.evaluated_chunks", forbidden)
    plan = plan_of("0 <= x <= 1", "abs(x * 2 - 1) <= 1", "abs(row_sums(x) - 1) <= 1e-6")
    assert failed(plan, x=np.array([[0.25, 0.75], [0, 1]])) == []
    assert failed(plan, x=np.array([[0.25, 0.75], [0, 2]])) == [0, 1, 2]


def test_failed_tests_come_in_the_order_of_the_conditions() -> None:
    plan = plan_of("x > 0 and x > 5", "x > 0", "x > 6")
    assert failed(plan, x=np.ones(2)) == [0, 2]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_real_dtype_is_checked(dtype: Any) -> None:
    x = np.array([[0, 1], [2, 5]]).astype(dtype)
    plan = plan_of("0 <= x <= 5", "row_sums(x) < 8", "sum(x) == 8", "sqrt(x) * sqrt(x) < x + 1")
    assert failed(plan, x=x) == []
    assert failed(plan, x=x + x) == [0, 1, 2]


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float16, ">f4", np.longdouble, ml_dtypes.bfloat16], ids=str
)
def test_nan_fails_every_comparison(dtype: Any) -> None:
    x = np.array([0, np.nan, 1]).astype(dtype)
    plan = plan_of("x <= 9", "x > -9", "abs(x) < 9", "all(isfinite(x))", "x <= y", "sum(x) < 9")
    assert failed(plan, x=x, y=np.ones(3)) == [0, 1, 2, 3, 4, 5]


def test_truth_values_are_numbers() -> None:
    mask = np.array([True, False])
    plan = plan_of("0 <= mask <= 1", "count(mask) == 1", "any(mask) and not all(mask)", "mask")
    assert failed(plan, mask=mask) == [3]


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::3],
        lambda a: a.T,
        lambda a: a[:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[0], (6, 6)),
        lambda a: np.ma.array(a),
    ],
    ids=["strided", "transposed", "reversed", "fortran", "broadcast", "subclass"],
)
def test_layout_does_not_matter(view: Callable[[Array], Array]) -> None:
    x = view(np.arange(36.0).reshape(6, 6))
    plain = np.array(x)
    plan = plan_of("x == y", "argmax(x) == argmax(y)", "row_sums(x) == row_sums(y)", "sum(x) == s")
    assert failed(plan, x=x, y=plain, s=plain.sum()) == []


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (2, 0, 3)])
def test_empty_arrays_satisfy_claims_about_elements(shape: tuple[int, ...]) -> None:
    """There is no element that could break them."""
    plan = plan_of("x > 1 and x < 0", "x != x", "all(isfinite(x))", "abs(x) < -1", "sum(x) == 0")
    assert failed(plan, x=np.empty(shape)) == []


def test_index_in_an_empty_array_is_none_that_exists() -> None:
    plan = plan_of("argmin(x) == -1", "argmax(x) == -1", "argmax(x * 2) == -1")
    assert failed(plan, x=np.empty(0)) == []


def test_no_rows_satisfy_claims_about_rows() -> None:
    plan = plan_of("abs(row_sums(x) - 1) < 0.1", "row_max(x) > 1", "any(row_sums(x) > 0)")
    assert failed(plan, x=np.empty((0, 4))) == [2]


def test_rows_of_truth_values_are_reduced_as_numbers() -> None:
    """A product over truth values is a disjunction: nine of them would have norm 1."""
    claims = ("row_sums(x > 0) == 9", "row_norms(x > 0) == 3", "row_dots(x > 0, x > 0) == 9")
    assert failed(plan_of(*claims), x=np.ones((2, 9))) == []


def test_empty_rows_have_the_sums_of_nothing() -> None:
    plan = plan_of("row_sums(x) == 0", "row_min(x) == inf", "row_max(x) == -inf", "row_sums(x) > 0")
    assert failed(plan, x=np.empty((3, 0))) == [3]


def test_zero_dimensional_arrays_are_numbers() -> None:
    plan = plan_of("x <= y", "x < 3", "sum(x) == 2", "row_sums(x) == 2", "shape(x) == ()")
    assert failed(plan, x=np.array(2, np.float32), y=2) == []


def test_fields_are_broadcast_against_each_other() -> None:
    plan = plan_of("x <= y + z", "sum(x * y) == 6")
    x, y = np.ones((3, 1)), np.ones((1, 2), np.int8)
    assert failed(plan, x=x, y=y, z=0.0) == []
    assert failed(plan, x=x * 2, y=y, z=0.0) == [0, 1]


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("x < y", {"x": np.ones(3), "y": np.ones(4)}, "cannot be broadcast"),
        ("x < 1", {"x": "text"}, "'x': cannot measure str with elements of type <U4"),
        ("x < 1", {"x": ["a", "b"]}, "'x': cannot measure list"),
        ("x < 1", {"x": 1j}, "'x': cannot measure complex"),
        ("x < 1", {"x": np.ones(2, complex)}, "'x': cannot measure ndarray"),
        ("x < 1", {"x": np.complex128(1)}, "'x': cannot measure"),
        ("x < 1", {"x": object()}, "'x': cannot measure object"),
        ("x < 1", {"x": [[1], [1, 2]]}, "'x':"),
        ("x < 1", {"x": 10**400}, "'x' is beyond the range of float64"),
        ("x < 1", {"x": [10**400]}, "'x': cannot measure list"),
        ("shape(x)[2] == 1", {"x": np.ones((2, 2))}, "'x' has 2 axes, no axis 2"),
        ("shape(x)[-3] == 1", {"x": np.ones((2, 2))}, "'x' has 2 axes, no axis -3"),
        ("shape(x) == (y, 2)", {"x": np.ones((2, 2)), "y": math.nan}, "cannot convert float NaN"),
        ("shape(x) == (y, 2)", {"x": np.ones((2, 2)), "y": math.inf}, "cannot convert float inf"),
        ("row_dots(x, y) > 0", {"x": np.ones((2, 3)), "y": np.ones(2)}, "cannot be broadcast"),
    ],
)
def test_fields_that_do_not_fit_are_named(text: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(MeasureError) as caught:
        plan_of(text).run(fields)
    assert message in str(caught.value)


def test_failure_inside_another_library_is_a_measure_error() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            raise RuntimeError("requires grad")

    with pytest.raises(MeasureError, match="'x': requires grad"):
        plan_of("x < 1").run({"x": Tensor()})


# -- statistics in place of an array -----------------------------------------------------------


def test_statistics_stand_in_for_an_array() -> None:
    plan = plan_of("0 <= x <= 4", "abs(sum(x) - 9) < 1 and all(isfinite(x))", "std(x) > 2")
    stats = measure(np.array([1.0, 4, 4]))
    result = plan.run({"x": stats})
    assert [test.test.condition for test in result.failed] == [2]
    assert result.statistics == {"x": stats}


def test_statistics_cannot_stand_in_for_elements() -> None:
    for text in ("x < y", "row_sums(x) < 1", "max(x * x) < 1", "len(x) < 3", "x in [0, y]"):
        with pytest.raises(MeasureError, match="only statistics of 'x' were kept, not its elem"):
            plan_of(f"{text} and y > 0").run({"x": measure(np.ones(3)), "y": np.ones(3)})


def test_statistics_that_were_not_taken_are_missed() -> None:
    """A sum that nobody asked for is 0 in the statistics, which would be a silent pass."""
    partial = measure(np.ones(3), Stat.RANGE)
    with pytest.raises(MeasureError, match="of 'x' only some statistics were kept, not its SUM"):
        plan_of("abs(sum(x)) <= 1").run({"x": partial})


def test_statistics_wanted_besides_come_from_the_same_pass(measured: list[Any]) -> None:
    plan = plan_of("x < 3", also={"x": Stat.FULL, "y": Stat.COUNTS})
    assert plan.fields == {"x", "y"}
    result = plan.run({"x": np.array([0.0, 2]), "y": np.array([np.nan]), "z": "ignored"})
    assert len(measured) == 2
    assert (result.statistics["x"].mean, result.statistics["y"].nan_count) == (1, 1)


# -- tolerance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "array", "expected"),
    [
        ("x <= tol", np.zeros(4, np.float32), 1e-3),
        ("x <= tol", np.zeros(1024, np.float32), 1e-3),
        ("x * sum(x) <= tol", np.zeros((2, 1024), np.float32), 8e-3),
        ("mean(x) <= tol", np.zeros(512, np.float64), 2e-3),
        ("row_sums(x) <= tol", np.zeros((2, 512)), 2e-3),
        ("row_dots(x, x) <= tol", np.zeros((2, 512)), 2e-3),
        ("x <= tol", np.zeros(4, ml_dtypes.bfloat16), 1e-3 + 2.0**-8),
        ("x <= tol", np.zeros(4, np.float16), 1e-3 + 2.0**-11 + 2.0**-25),
        ("x <= tol", np.zeros(4, np.int8), 1e-3),
        ("row_sums(x) <= tol", np.zeros((), np.float32), 1e-3),
        ("x <= tol", 0.0, 1e-3),
        ("sum(x) <= tol", np.zeros((0, 0)), 1e-3),
    ],
)
def test_tolerance_scales_with_dtype_and_row_length(text: str, array: Any, expected: float) -> None:
    plan = plan_of(f"({text}) and tol == expected", tol=1e-3)
    assert failed(plan, x=array, expected=expected) == []


def test_tolerance_is_kept_for_some_row_lengths_and_right_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracepact.predicate.plan._MAX_TOLERANCES", 2)
    plan = plan_of("sum(x) <= 1 and tol == expected", tol=1.0)
    for length in (256, 512, 1024, 256, 1024, 512):
        assert failed(plan, x=np.zeros(length), expected=length / 256) == []


def test_tolerance_is_the_widest_that_a_field_needs() -> None:
    fields = {"x": np.full(4, 0.004), "y": np.zeros(4, ml_dtypes.bfloat16)}
    assert failed(plan_of("abs(x - y) <= tol", tol=1e-3), **fields) == []
    assert failed(plan_of("abs(x) <= tol", tol=1e-3), **fields) == [0]


def test_statistics_leave_the_tolerance_as_it_is() -> None:
    assert failed(plan_of("x <= tol", tol=0.5), x=measure(np.array([0.5], np.float16))) == []
    assert failed(plan_of("x <= tol", tol=0.5), x=measure(np.array([0.6], np.float16))) == [0]


def test_claim_without_its_tolerance_is_false() -> None:
    assert failed(plan_of("x <= tol"), x=np.zeros(2)) == [0]


# -- chunks ------------------------------------------------------------------------------------

CHUNKED = [
    "0 <= x <= 1",
    "x < y",
    "x * y <= z",
    "sum(x) < 40",
    "mean(x * y) < 0.9",
    "count(x > y) == 0",
    "all(x <= y) or any(x > z)",
    "argmax(x) == 17 and argmin(x) == 0",
    "argmax(x * y) == 17",
    "row_sums(x) < 9",
    "row_sums(x * y) <= row_norms(y) * 3",
    "row_argmax(x) >= 0 and row_min(x) >= 0 and row_max(x) < 1",
    "max(row_dots(x, y)) < 9",
    "std(x) < 0.3",
]


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf, 2.0])
def test_chunked_is_unchunked(monkeypatch: pytest.MonkeyPatch, chunk: int, bad: Any) -> None:
    random = np.random.default_rng(3)
    x = random.permutation(np.arange(80.0).reshape(5, 2, 8) / 80)
    y = (x[:, :1] * 0 + 1).astype(np.float32)
    if bad is not None:
        x[3, 1, 5] = bad
    fields = {"x": np.asfortranarray(x), "y": y, "z": 1.0}
    plan = plan_of(*CHUNKED)
    whole = plan.run(fields)
    for module in ("tracepact.core.python", "tracepact.predicate.plan"):
        monkeypatch.setattr(f"{module}.CHUNK_ELEMENTS", chunk)
    parts = plan.run(fields)
    assert parts.failed == whole.failed
    np.testing.assert_allclose(parts.slots, whole.slots, rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "0 <= x <= 1",
        "abs(mean(x) - 0.5) < 1 and std(x) < 1",
        "x <= y",
        "sum(x * y) < 1",
        "row_sums(x) < 1",
        "row_dots(x, y) < 1 and row_norms(x - y) < 1",
    ],
)
def test_large_array_needs_no_second_one_beside_it(text: str) -> None:
    """200 MB, all of them the same zero so that the test itself is cheap."""
    plan = plan_of(text)
    x = np.broadcast_to(np.float32(0), (12_500, 4_000))
    tracemalloc.start()
    try:
        assert failed(plan, x=x, y=np.float32(0)) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6
