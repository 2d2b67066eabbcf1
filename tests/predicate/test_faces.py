"""The fast face, the slow face and a plain NumPy reading of a predicate say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracepact.predicate import MeasureError, PredicateError, compile_plan, explain, parse_predicate
from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Text,
    Tuple,
    Unary,
    walk,
)
from tracepact.predicate.functions import FUNCTIONS, is_elementwise
from tracepact.predicate.plan import Plan, PlanResult, evaluated_chunks
from tracepact.predicate.python_dialect import parse
from tracepact.types import Array

Fields = Mapping[str, Any]

# -- what predicates mean: whole arrays, float64, one operation at a time -----------------------

OPERATORS: dict[str, Any] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "//": np.floor_divide,
    "%": np.mod, "**": np.power, "==": np.equal, "!=": np.not_equal, "<": np.less,
    "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip

WHOLE: dict[str, Any] = {
    "sum": np.sum,
    "mean": lambda x: np.sum(x) / x.size if x.size else np.nan,
    "min": lambda x: np.min(x, initial=np.inf),
    "max": lambda x: np.max(x, initial=-np.inf),
    "argmin": lambda x: np.argmin(x) if x.size else -1,
    "argmax": lambda x: np.argmax(x) if x.size else -1,
    "count": np.count_nonzero,
    "all": lambda x: float(np.all(x)),
    "any": lambda x: float(np.any(x)),
    "size": lambda x: x.size,
    "ndim": lambda x: x.ndim,
}

BY_ROW: dict[str, Any] = {
    "row_sums": lambda x: x.sum(-1),
    "row_min": lambda x: x.min(-1, initial=np.inf),
    "row_max": lambda x: x.max(-1, initial=-np.inf),
    "row_argmax": lambda x: x.argmax(-1) if x.shape[-1] else np.full(x.shape[:-1], -1.0),
}


def value_of(node: Node, fields: Fields) -> Any:
    match node:
        case Number(value):
            return np.float64(value)
        case Name(name):
            return np.asarray(fields[name], np.float64)
        case Call("shape", (Name(name), Number(axis))):
            return np.float64(np.shape(fields[name])[int(axis)])
        case Call("len", (Name(name),)):
            return np.float64((*np.shape(fields[name]), 1)[0])
        case Unary("-", operand):
            return -number_of(operand, fields)
        case Unary(_, operand):
            return np.logical_not(value_of(operand, fields))
        case Binary(operator, left, right):
            return OPERATORS[operator](number_of(left, fields), number_of(right, fields))
        case Compare(operator, left, right):
            return OPERATORS[operator](value_of(left, fields), value_of(right, fields))
        case Logical(operator, operands):
            combine = np.logical_and if operator == "and" else np.logical_or
            values = [value_of(operand, fields) for operand in operands]
            for value in values[1:]:
                values[0] = combine(values[0], value)
            return values[0]
        case Call(function, arguments):
            values = [np.asarray(value_of(argument, fields)) for argument in arguments]
            if function == "where":
                return np.where(values[0], *(np.asarray(v, np.float64) for v in values[1:]))
            values = [np.asarray(value, np.float64) for value in values]
            if is_elementwise(function, len(values)):
                compute = FUNCTIONS[function].compute
                assert compute is not None
                return compute(*values)
            if function in WHOLE:
                return np.float64(WHOLE[function](*values))
            return np.asarray(BY_ROW[function](*np.broadcast_arrays(*map(np.atleast_1d, values))))
        case _:
            raise AssertionError(node)


def number_of(node: Node, fields: Fields) -> Any:
    return np.asarray(value_of(node, fields), np.float64)


def holds(node: Node, fields: Fields) -> bool:
    if isinstance(node, Logical) and node.operator == "and":
        verdicts = [holds(operand, fields) for operand in node.operands]  # all, for their errors
        return all(verdicts)
    return bool(np.all(value_of(node, fields)))


# -- fields and predicates ---------------------------------------------------------------------

# Sums of a few of these are exact, so that no face can differ by rounding.
VALUES = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 96.0, np.nan, np.inf, -np.inf])
FINITE = st.sampled_from([0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 96.0])
DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, ">f4", np.int8, np.bool_]


@st.composite
def arrays(draw: st.DrawFn, shapes: list[tuple[int, ...]]) -> Array:
    shape = draw(st.sampled_from(shapes))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    size = int(np.prod(shape))
    values = VALUES if dtype.kind not in "ib" else FINITE
    flat = draw(st.lists(values, min_size=size, max_size=size))
    array = np.array(flat, np.float64).astype(dtype).reshape(shape)
    layout = draw(st.sampled_from(["plain", "fortran", "reversed", "strided", "repeated"]))
    match layout:
        case "fortran":
            return np.asfortranarray(array)
        case "reversed":
            return np.array(array[..., ::-1])[..., ::-1] if array.ndim else array
        case "strided" if array.ndim:
            return np.repeat(array, 2, axis=-1)[..., ::2]
        case "repeated" if array.ndim and array.shape[0]:
            return np.broadcast_to(array[:1], array.shape)
        case _:
            return array


FIELDS = st.fixed_dictionaries(
    {
        "x": arrays([(2, 3), (3,), (), (2, 1, 3), (1, 1), (0,), (0, 3), (2, 0)]),
        "y": arrays([(3,), (), (1, 1), (2, 3), (1,)]),
        "s": VALUES.map(float) | st.integers(-3, 3) | st.booleans(),
    }
)


LEAVES: list[Node] = [
    *(Name("x"), Name("x"), Name("y"), Name("s")),
    *(Number(value) for value in (0.0, 0.5, 1.0, -1.0, 2.0, np.inf)),
    *(Call("len", (Name("x"),)), Call("size", (Name("y"),))),
]
UNARY = ["abs", "floor", "sign", "round", "sum", "min", "max", "argmin", "argmax", "count", "mean"]
UNARY += ["row_sums", "row_min", "row_max", "row_argmax"]


def number(draw: st.DrawFn, depth: int) -> Node:
    kinds = ["leaf", "call", "pair", "min", "minus", "where", "truth"] if depth else ["leaf"]
    match draw(st.sampled_from(kinds)):
        case "leaf":
            return draw(st.sampled_from(LEAVES))
        case "call":
            return Call(draw(st.sampled_from(UNARY)), (number(draw, depth - 1),))
        case "pair":
            operator = draw(st.sampled_from(["+", "-", "*", "/", "//", "%"]))
            return Binary(operator, number(draw, depth - 1), number(draw, depth - 1))
        case "min":
            return Call("min", (number(draw, depth - 1), number(draw, depth - 1)))
        case "minus":
            return Unary("-", number(draw, depth - 1))
        case "where":
            branches = number(draw, depth - 1), number(draw, depth - 1)
            return Call("where", (truth(draw, depth - 1), *branches))
        case _:
            name = draw(st.sampled_from(["count", "all", "any", "sum"]))
            return Call(name, (truth(draw, depth - 1),))


def truth(draw: st.DrawFn, depth: int) -> Node:
    kinds = ["compare", "compare", "test"]
    kinds += ["not", "all", "any", "and", "or"] if depth else []
    match draw(st.sampled_from(kinds)):
        case "compare":
            operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
            return Compare(operator, number(draw, depth), number(draw, depth))
        case "test":
            name = draw(st.sampled_from(["isfinite", "isnan", "isinf"]))
            return Call(name, (number(draw, depth),))
        case "not":
            return Unary("not", truth(draw, depth - 1))
        case "all" | "any" as name:
            return Call(name, (truth(draw, depth - 1),))
        case operator:
            return Logical(operator, (truth(draw, depth - 1), truth(draw, depth - 1)))


@st.composite
def claims(draw: st.DrawFn) -> Node:
    return truth(draw, draw(st.integers(0, 3)))


CLAIMS = claims()


def slow(plan: Plan, result: PlanResult) -> list[bool]:
    """Every test by looking at every element."""
    with np.errstate(all="ignore"):
        return [
            all(np.all(c) for c in evaluated_chunks(test.pointwise, test.names, result))
            for test in plan.tests
        ]


@contextmanager
def chunked(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("tracepact.core.python", "tracepact.predicate.plan"):
            patch.setattr(f"{module}.CHUNK_ELEMENTS", size)
        yield


def faces_agree(node: Node, fields: Fields) -> None:
    plan = compile_plan([(node, None)])
    try:
        with np.errstate(all="ignore"):
            expected = holds(node, fields)
    except ValueError:
        return  # shapes that do not fit together; `plan` may need less of them than NumPy does
    result = plan.run(fields)
    assert [test not in result.failed for test in plan.tests] == slow(plan, result)
    assert (not result.failed) == expected
    with chunked(2):
        # A row may be cut anywhere but never a test's verdict.
        assert (not plan.run(fields).failed) == expected
    for test in result.failed:
        failure = explain(test, result)
        if not test.names:
            assert failure.index is None
            continue
        with np.errstate(all="ignore"):
            shape = np.broadcast_shapes(*(np.shape(result.values[n]) for n in test.names))
            parts = [np.ravel(c) for c in evaluated_chunks(test.pointwise, test.names, result)]
        first = int(np.flatnonzero(~np.concatenate(parts).astype(bool))[0])
        assert failure.index == (tuple(map(int, np.unravel_index(first, shape))) or None)


@settings(max_examples=250)
@given(CLAIMS, FIELDS)
@example(parse("all(x > 0 and max(y) > 0)"), {"x": np.empty(0), "y": 0.0, "s": 0.0})
def test_fast_face_slow_face_and_plain_reading_agree(node: Node, fields: dict[str, Any]) -> None:
    faces_agree(node, fields)


SHAPES = [
    "x {} 1", "1 {} x", "-x {} 1", "x * 2 - 1 {} s", "1 - x / -2 {} s", "x - max(x) {} 0",
    "x + sum(x) {} inf", "x - min(x) {} inf", "abs(x) {} s", "abs(x - s) {} 1", "x {} s",
    "row_sums(x) {} s", "abs(row_max(x) - 1) {} 1", "x * y {} s", "x - y {} 0", "count(x > 0) {} 2",
    "max(x) {} 1", "sum(x) {} x", "where(x > 0, x, -x) {} y", "x * 1e308 {} 5", "x / 1e-308 {} s",
]  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from(SHAPES), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), FIELDS)
@example("x + sum(x) {} inf", "<=", {"x": np.array([-np.inf, 5.0]), "y": 0.0, "s": 0})
@example("x - min(x) {} inf", "<=", {"x": np.array([-np.inf, 5.0]), "y": 0.0, "s": 0})
def test_faces_agree_on_the_shapes_that_extremes_decide(
    shape: str, operator: str, fields: dict[str, Any]
) -> None:
    """Infinities included: -Inf + Inf is NaN at the end that the comparison does not look at."""
    faces_agree(parse(shape.format(operator)), fields)


TOKENS = [
    *("x", "x", "y", "s", "1", "0.5", "inf", "nan", "true", '"float32"'),
    *("+", "-", "*", "/", "**", "==", "<", "<=", ">", "and", "or", "not", "in"),
    *("(", "(", ")", ")", "[", "]", ","),
    *(f"{name}(" for name in FUNCTIONS),
]
TEXTS = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12).map(" ".join)


@settings(max_examples=200)
@given(TEXTS, FIELDS)
def test_any_predicate_that_parses_can_be_checked(text: str, fields: dict[str, Any]) -> None:
    """Or it says which field does not fit; nothing else comes out."""
    try:
        predicate = parse_predicate(text)
    except PredicateError:
        return
    old = {f"old({name})": value for name, value in fields.items()}
    try:
        verdict = predicate.check(**fields, **old)
    except MeasureError:
        return
    assert bool(predicate.explain(**fields, **old)) is not verdict


def test_strategy_reaches_every_kind_of_node() -> None:
    """Except texts and tuples, which compare whole: `test_kinds` and `test_plan` have them."""
    seen: set[type] = set()

    @settings(database=None, derandomize=True, max_examples=60)
    @given(CLAIMS)
    def collect(node: Node) -> None:
        seen.update(type(part) for part in walk(node))

    collect()
    assert seen == {Number, Name, Unary, Binary, Compare, Logical, Call}
    assert {Text, Tuple} & seen == set()
