"""The native plan is a filter: where it says that all holds, the Python plan finds nothing."""

from __future__ import annotations

import gc
import importlib
import math
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracepact.contracts import ContractRegistry
from tracepact.core import Stat, TensorStats, measure, using_core
from tracepact.predicate import MeasureError, compile_plan, parse_predicate
from tracepact.predicate.ast import Binary, Call, Compare, Logical, Name, Node, Number, Unary
from tracepact.predicate.lower import Lowering
from tracepact.predicate.plan import compile_value
from tracepact.predicate.python_dialect import parse
from tracepact.types import Array

if TYPE_CHECKING:
    from library_examples.case import Case

native = pytest.importorskip("tracepact.core._native", reason="this build has no native core")
from tracepact.predicate.native_plan import compile_native  # noqa: E402 - needs the native core

_CONTRACTS = Path(__file__).parents[1] / "contracts"
sys.path.insert(0, str(_CONTRACTS))
_CASES: dict[str, Case] = {
    case.id: case
    for module in pkgutil.iter_modules([str(_CONTRACTS / "library_examples")])
    for case in getattr(importlib.import_module(f"library_examples.{module.name}"), "CASES", [])
}
REGISTRY = ContractRegistry.builtin()
Conditions = Sequence[tuple[Node, float | None]]


@pytest.fixture(autouse=True)
def _every_core() -> None:
    """This file is about one core alone; it need not run once with each."""


def native_of(conditions: Conditions, also: Mapping[str, Stat] | None = None) -> Any:
    lowering = Lowering()
    for index, (node, tolerance) in enumerate(conditions):
        lowering.add(index, node, tolerance)
    for name, wanted in (also or {}).items():
        lowering.measure_field(name, wanted)
    return compile_native(lowering, sorted(compile_plan(conditions, also).fields))


def plan_of(*texts: str, tol: float | None = None) -> Any:
    plan = native_of([(parse_predicate(text).node, tol) for text in texts])
    assert plan is not None
    return plan


def run(plan: Any, **fields: Any) -> bool | None:
    verdict: bool | None = plan.run(*(fields[name] for name in plan.fields))
    return verdict


def python_verdict(conditions: Conditions, fields: Mapping[str, Any]) -> bool | None:
    """Whether the Python plan finds nothing; None if it refuses the fields."""
    with using_core("python"):
        try:
            return not compile_plan(conditions).run(fields).failed
        except MeasureError:
            return None


# -- the shipped library ------------------------------------------------------------------------


@pytest.fixture(params=_CASES.values(), ids=_CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    """The examples of every shipped equation."""
    found: Case = request.param
    return found


def conditions_of(case: Case) -> Conditions:
    kinds = REGISTRY.preconditions, REGISTRY.postconditions
    found = [c for kind in kinds for c in kind(case.contract, case.equation)]
    return [(c.predicate.node, c.tolerance) for c in found]


def arrays_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The native core takes no lists."""
    return {n: np.array(v) if isinstance(v, list) else v for n, v in fields.items()}


def test_correct_values_of_every_shipped_equation_hold_natively(case: Case) -> None:
    plan = native_of(conditions_of(case))
    batches = islice(case.bounded(), 30)
    for fields in [case.good, *batches]:
        assert run(plan, **arrays_of(fields)) is True


def test_faulty_values_of_every_shipped_equation_do_not(case: Case) -> None:
    plan = native_of(conditions_of(case))
    for fault in case.bad.values():
        assert run(plan, **arrays_of(case.good | fault)) is not True


# -- any predicate over any fields --------------------------------------------------------------

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 96.0, np.nan, np.inf, -np.inf])
FINITE = st.sampled_from([0.0, 1.0, -1.0, 2.0, 96.0, -3.0])
DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int8, np.int64, np.bool_]
SHAPES = [(2, 3), (3,), (), (2, 1, 3), (1, 1), (0,), (0, 3), (2, 0), (1,), (2, 2, 3)]


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    shape = draw(st.sampled_from(SHAPES))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    size = math.prod(shape)
    values = FINITE if dtype.kind in "ib" else VALUES
    flat = draw(st.lists(values, min_size=size, max_size=size))
    array: Array = np.array(flat, np.float64).astype(dtype).reshape(shape)
    match draw(st.sampled_from(["plain", "fortran", "reversed", "strided", "repeated"])):
        case "fortran":
            return np.asfortranarray(array)
        case "reversed" if array.ndim:
            return np.array(array[..., ::-1])[..., ::-1]
        case "strided" if array.ndim:
            return np.repeat(array, 2, axis=-1)[..., ::2]
        case "repeated" if array.ndim and array.shape[0]:
            return np.broadcast_to(array[:1], array.shape)
        case _:
            return array


NUMBERS = (
    VALUES.map(float)
    | st.integers(-3, 3)
    | st.booleans()
    | VALUES.map(np.float32)
    | FINITE.map(np.int16)
)
FIELDS = st.fixed_dictionaries({"x": arrays(), "y": arrays() | NUMBERS, "s": NUMBERS})
LEAVES: list[Node] = [
    *(Name("x"), Name("x"), Name("y"), Name("s"), Name("tol")),
    *(Number(value) for value in (0.0, 0.5, 1.0, -1.0, 2.0, 3.0, math.inf)),
    *(Call("len", (Name("x"),)), Call("size", (Name("y"),)), Call("itemsize", (Name("y"),))),
    *(Call("shape", (Name("x"), Number(-1.0))), Call("ndim", (Name("y"),))),
]
CALLS = ["abs", "floor", "ceil", "sign", "round", "sqrt", "exp", "log", "sum", "min", "max", "mean"]
CALLS += ["std", "norm", "count", "argmin", "argmax", "row_sums", "row_norms", "row_min", "row_max"]
CALLS += ["row_argmax"]


def number(draw: st.DrawFn, depth: int) -> Node:
    kinds = ["call", "call", "pair", "min", "dots", "minus", "where", "truth"] if depth else []
    match draw(st.sampled_from(["leaf", *kinds])):
        case "leaf":
            return draw(st.sampled_from(LEAVES))
        case "call":
            return Call(draw(st.sampled_from(CALLS)), (number(draw, depth - 1),))
        case "pair":
            operator = draw(st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]))
            return Binary(operator, number(draw, depth - 1), number(draw, depth - 1))
        case "min":
            return Call("min", (number(draw, depth - 1), number(draw, depth - 1)))
        case "dots":
            return Call("row_dots", (number(draw, depth - 1), number(draw, depth - 1)))
        case "minus":
            return Unary("-", number(draw, depth - 1))
        case "where":
            branches = number(draw, depth - 1), number(draw, depth - 1)
            return Call("where", (truth(draw, depth - 1), *branches))
        case _:
            name = draw(st.sampled_from(["count", "all", "any", "sum"]))
            return Call(name, (truth(draw, depth - 1),))


def truth(draw: st.DrawFn, depth: int) -> Node:
    kinds = ["not", "all", "any", "and", "or"] if depth else []
    match draw(st.sampled_from(["compare", "compare", "test", "shapes", *kinds])):
        case "compare":
            operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
            return Compare(operator, number(draw, depth), number(draw, depth))
        case "test":
            name = draw(st.sampled_from(["isfinite", "isnan", "isinf"]))
            return Call(name, (number(draw, depth),))
        case "shapes":
            other = draw(st.sampled_from(["shape(y)", "(2, 3)", "(3,)", "shape(x)"]))
            return parse(f"shape(x) {draw(st.sampled_from(['==', '!=']))} {other}")
        case "not":
            return Unary("not", truth(draw, depth - 1))
        case "all" | "any" as name:
            return Call(name, (truth(draw, depth - 1),))
        case operator:
            return Logical(operator, (truth(draw, depth - 1), truth(draw, depth - 1)))


@st.composite
def claims(draw: st.DrawFn) -> Node:
    return truth(draw, draw(st.integers(0, 3)))


@settings(max_examples=400)
@given(st.lists(claims(), min_size=1, max_size=3), FIELDS)
@example([parse("all(x > 0 and max(y) > 0)")], {"x": np.empty(0), "y": 0.0, "s": 0.0})
@example([parse("x ** 3 == 8"), parse("x // 0 == inf")], {"x": np.array([2.0]), "y": 0, "s": 0})
def test_native_plan_never_holds_where_the_python_plan_finds_something(
    nodes: list[Node], fields: dict[str, Any]
) -> None:
    conditions: Conditions = [(node, 0.25) for node in nodes]
    plan = native_of(conditions)
    if plan is not None and run(plan, **fields):
        assert python_verdict(conditions, fields) is True


PLAIN = [
    "all(isfinite(x))", "not any(isnan(x))", "x {} s", "abs(x) {} 2", "x + y {} s", "x {} y * s",
    "sum(x) {} s", "min(x) {} max(y)", "row_sums(x) {} s", "abs(row_max(x) - 1) {} tol",
    "where(x > s, y, 0) {} 1", "exp(x) {} y", "x / y {} s", "x % 2 {} 1 and x // 2 {} s",
    "count(x > 0) {} len(x)", "row_sums(x * y) {} row_min(x)", "row_dots(x, y) {} row_sums(x)",
    "shape(x) == shape(y)", "size(x) {} ndim(y) * 2", "mean(x) {} s or std(x) {} s",
    "not (x {} s and y {} 1)", "argmax(x) {} s", "row_argmax(x) {} 1", "sqrt(abs(x)) {} norm(y)",
    "x ** 2 {} y ** 3", "abs(x - y) {} abs(x) + abs(y)", "round(x) {} sign(y)",
]  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(PLAIN), min_size=1, max_size=3),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    FIELDS,
)
def test_native_plan_holds_wherever_the_python_plan_finds_nothing(
    texts: list[str], operator: str, fields: dict[str, Any]
) -> None:
    """Of arrays and numbers as they mostly are; norms of infinite rows are left to Python."""
    conditions: Conditions = [(parse(text.replace("{}", operator)), 0.25) for text in texts]
    plan = native_of(conditions)
    assert plan is not None
    expected = python_verdict(conditions, fields)
    assert (run(plan, **fields) is True) == (expected is True)


# -- long arrays, wide ranges: what small ones do not reach --------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32])
@pytest.mark.parametrize("shape", [(1000,), (3, 700), (7, 5, 64), (40, 255), (40, 256), (2, 257)])
def test_strips_and_rows_of_any_length_are_walked_whole(shape: tuple[int, ...], dtype: Any) -> None:
    """A fault in the first, the last or any element is seen."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 9, shape).astype(dtype)
    weight = rng.integers(1, 4, shape[-1:]).astype(np.float32)
    ret = x * weight
    plan = plan_of(
        "abs(ret - x * weight) <= 1e-9",
        "row_sums(ret) == row_dots(x, weight)",
        "abs(row_norms(ret) - row_norms(x * weight)) <= 1e-9",
        "row_max(-ret) == -row_min(x * weight)",
    )
    assert run(plan, x=x, weight=weight, ret=ret) is True
    for index in (0, ret.size // 2, ret.size - 1):
        wrong = ret.copy()
        wrong.reshape(-1)[index] += 1
        assert run(plan, x=x, weight=weight, ret=wrong) is False


ROW_TESTS = {
    "one reader": ("all(isfinite(x))", "0 <= x <= 1 + tol", "abs(row_sums(x) - 1) <= tol"),
    "two readers": ("x >= 0", "row_sums(x) <= 1 + tol", "row_sums(x) ** 2 <= 1.1"),
    "two rows": ("x >= 0", "abs(row_sums(x) - 1) <= tol", "row_sums(x) <= row_max(x) + 1"),
    "no sign": ("x >= 0", "row_sums(x) <= 1 + tol"),
    "the lowest": ("x >= -0.5", "abs(row_sums(x) - 1) <= tol"),
    "any sum": ("x >= 0", "sum(x) >= 0", "max(row_sums(x)) >= 0"),
}
ROW_FAULTS = (math.nan, -math.nan, math.inf, -math.inf, -0.0, -1e-30, -0.25, 0.9, 3e38)


@pytest.mark.parametrize("texts", ROW_TESTS.values(), ids=ROW_TESTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(1,), (200,), (1, 4099), (3, 2500), (60, 40), (600, 3), (4, 1)])
def test_rows_and_extremes_of_one_reading_are_judged_as_by_python(
    shape: tuple[int, ...], dtype: Any, texts: tuple[str, ...]
) -> None:
    """Whoever reads the sums besides, wherever the fault is, and where sums leave float32."""
    conditions: Conditions = [(parse(text), 1e-6) for text in texts]
    plan = native_of(conditions)
    x = np.random.default_rng(6).dirichlet(np.full(shape[-1], 5.0), shape[:-1]).astype(dtype)
    faulty = [x]
    for place in {0, 3, x.size // 2, x.size - 1} & {*range(x.size)}:
        for fault in ROW_FAULTS:
            with np.errstate(over="ignore"):
                faulty.append(x.copy())
                faulty[-1].flat[place] = fault
    if dtype != np.float16:
        faulty.append(np.full(shape, 3e38, dtype))
    for each in faulty:
        held = python_verdict(conditions, {"x": each})
        assert (run(plan, x=each) is True) == (held is True)
    assert run(plan, x=x) is True


@pytest.mark.parametrize("isa", native.isas())
@pytest.mark.parametrize("offset", [1, 2, 4, 8, 20, 32, 60, 64])
def test_arrays_that_start_anywhere_are_read_to_both_ends(isa: str, offset: int) -> None:
    before = native.isa()
    size = 9001
    room = np.zeros(4 * size + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    x = room[start : start + 4 * size].view(np.float32)
    plan = plan_of("0 <= x <= 1", "abs(row_sums(x) - s) <= tol", tol=1e-6)
    total = compile_value(parse("sum(x)"))
    values = np.random.default_rng(7).random(size, np.float32) / np.float32(size)
    try:
        native.set_isa(isa)
        x[:] = values
        exact = math.fsum(values.tolist())
        assert run(plan, x=x, s=exact) is True
        assert total({"x": x}) == total({"x": values})
        for place in (*range(20), size // 2, *range(size - 20, size)):
            for fault in (-1e-9, 1.5, math.nan, values[place] + 1e-3):
                x[place] = fault
                assert run(plan, x=x, s=exact) is not True
                x[place] = values[place]
    finally:
        native.set_isa(before)


def test_a_view_of_a_cache_is_walked_by_its_strides() -> None:
    cache = np.random.default_rng(4).standard_normal((3, 50, 64)).astype(np.float32)
    keys = cache[:, 7:31, ::2]
    plan = plan_of(
        "abs(max(row_norms(keys)) - most) <= 1e-9", "row_sums(keys * keys) <= most ** 2 + 1e-9"
    )
    most = float(np.linalg.norm(keys.astype(np.float64), axis=-1).max())
    assert run(plan, keys=keys, most=most) is True
    assert run(plan, keys=keys.transpose(1, 0, 2), most=most) is True
    assert run(plan, keys=keys, most=most * 0.999) is False


@pytest.mark.parametrize("scale", [1e-200, 1e-310, 1.0, 1e200])
def test_squares_beyond_float64_are_no_alarm_and_hide_none(scale: float) -> None:
    x = np.full((2, 4), scale)
    same, other = plan_of("row_norms(x) == 2 * s"), plan_of("row_norms(x * 1) < 2 * s")
    assert run(same, x=x, s=scale) is True
    assert run(other, x=x, s=scale) is not True


def test_exp_keeps_to_its_limits_and_to_four_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-745.2, 709.7, 20_001), [-1e4, -np.inf]])
    exact = np.exp(x.astype(np.longdouble)).astype(np.float64)
    plan = plan_of("abs(exp(x) - exact) <= 4 * 2.0 ** -52 * exact + 1e-323")
    assert run(plan, x=x, exact=exact) is True
    limits = np.array([710, 1e300, np.inf, -746, -1e300, -np.inf, np.nan])
    plan = plan_of("where(isnan(x), isnan(exp(x)), exp(x) == exact)")
    exact = np.array([np.inf, np.inf, np.inf, 0, 0, 0, np.nan])
    assert run(plan, x=limits, exact=exact) is True


@settings(max_examples=200)
@given(st.floats(), st.floats())
@example(math.inf, 1.0)
@example(-1.0, math.inf)
@example(5e-324, 3.0)
@example(-0.0, 2.0)
def test_remainders_are_those_of_numpy(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        quotient, rest = np.floor_divide(a, b), np.mod(a, b)
    plan = plan_of(
        "where(isnan(a // b), isnan(q), a // b == q)", "where(isnan(a % b), isnan(r), a % b == r)"
    )
    vector = {
        "a": np.full(2, a),
        "b": np.full(2, b),
        "q": np.full(2, quotient),
        "r": np.full(2, rest),
    }
    assert run(plan, **vector) is True
    assert run(plan, a=a, b=b, q=float(quotient), r=float(rest)) is True


# -- what the native core leaves alone ----------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [1.0], None, "1", b"1", 10**400, np.longdouble(1), np.complex128(1), np.ones(3, ">f4"),
        np.ones(3, np.complex64), np.array([1, None]), np.ma.ones(3), type("F", (float,), {})(1),
        TensorStats.of_scalar(1.0),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_of_other_kinds_are_left_to_python(value: Any) -> None:
    assert plan_of("x >= 0").run(value) is None
    assert plan_of("x >= 0", "y >= 0").run(value, np.ones(3)) is None
    assert plan_of("x + y >= 0").run(1.0, value) is None


def test_tolerance_grows_with_arrays_and_not_with_numbers() -> None:
    """A NumPy scalar counts as a number, whatever its type."""
    plan = plan_of("abs(x - 1) <= tol", tol=6e-4)
    half = np.float16(1.001)
    assert run(plan, x=np.array([half])) is True
    assert run(plan, x=half) is False
    assert python_verdict([(parse("abs(x - 1) <= tol"), 6e-4)], {"x": half}) is False


def test_shapes_that_grow_beyond_their_fields_are_left_to_python() -> None:
    plan = plan_of("x + y >= 0")
    assert run(plan, x=np.zeros((5_000, 1)), y=np.zeros(5_000)) is None


def test_dtypes_and_shapes_of_expressions_have_no_native_plan() -> None:
    for text in ('dtype(x) == "float32"', "shape(x) == (len(x), 2)", "row_argmax(-x) == 0"):
        assert native_of([(parse(text), None)]) is None


def test_a_plan_too_large_for_the_native_core_is_none() -> None:
    many = " + ".join(f"x{i}" for i in range(17))
    assert native_of([(parse(f"{many} > 0"), None)]) is None
    assert native_of([(parse(f"row_sums(x * {i}) > 0"), None) for i in range(40)]) is None
    long = " * ".join(f"(x - {i})" for i in range(60))
    assert native_of([(parse(f"{long} > 0"), None)]) is None


# -- statistics, references, abuse --------------------------------------------------------------


def test_statistics_wanted_besides_come_from_the_run() -> None:
    also = {"ret": Stat.FULL, "s": Stat.FULL}
    plan = native_of(
        [(parse("0 <= ret <= 1"), None), (parse("abs(row_sums(ret) - 1) <= s"), None)], also
    )
    ret = np.random.default_rng(5).dirichlet(np.ones(300), 4).astype(np.float32)
    of_ret, of_s = plan.statistics(ret, 1e-6)
    expected = measure(ret)
    assert of_ret[:6] == (expected.count, 0, 0, 0, expected.min, expected.max)
    assert of_ret[6] == pytest.approx(4)
    assert Stat.FULL in Stat(of_ret[7])
    assert of_s[:7] == (1, 0, 0, 0, 1e-6, 1e-6, 1e-6)
    assert plan.statistics(ret * 2, 1e-6) is None


def test_runs_keep_no_reference_and_no_buffer() -> None:
    plan = plan_of("row_norms(x) <= 9", "x + y <= 9", "max(abs(x - y)) <= 9")
    x, y = np.ones((600, 3)), memoryview(bytearray(3))
    gc.collect()
    before = sys.getrefcount(x), sys.getrefcount(y)
    for value in (y, "no number"):
        for _ in range(100):
            plan.run(x, value)
    assert (sys.getrefcount(x), sys.getrefcount(y)) == before
    y.release()  # refuses while somebody holds it


def test_fields_are_named_in_the_order_of_the_values() -> None:
    plan = plan_of("b <= a")
    assert plan.fields == ("a", "b")
    assert plan.run(2, 1) is True
    assert plan.run(1, 2) is False
    with pytest.raises(TypeError, match="2 fields, given 1"):
        plan.run(1)
