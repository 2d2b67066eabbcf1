"""Exported modules say what tracepact says: on the library, and on any predicate."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from exporting import (
    INSTALLED,
    conditions_of,
    exported_verdict,
    load,
    own_verdict,
    registry_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracepact.codegen import Export, export_contract
from tracepact.contracts import ContractRegistry
from tracepact.predicate import PredicateError, parse_predicate
from tracepact.types import Array

if TYPE_CHECKING:
    from library_examples.case import Case

_CONTRACTS = Path(__file__).parents[1] / "contracts"
sys.path.insert(0, str(_CONTRACTS))
_CASES: dict[str, Case] = {
    case.id: case
    for module in pkgutil.iter_modules([str(_CONTRACTS / "library_examples")])
    for case in getattr(importlib.import_module(f"library_examples.{module.name}"), "CASES", [])
}
REGISTRY = ContractRegistry.builtin()
STEMS = sorted(REGISTRY.contracts)


@cache
def exported(stem: str, target: str) -> Export:
    return export_contract(REGISTRY, stem, target)


@cache
def module_of(stem: str, target: str) -> dict[str, Any]:
    return load(exported(stem, target).text)


# -- the shipped library ------------------------------------------------------------------------


@pytest.mark.parametrize("stem", STEMS)
def test_every_condition_is_expressed_or_reported(stem: str, target: str) -> None:
    """Each one stands in a message; only deal, which keeps no old values, leaves some out."""
    found = exported(stem, target)
    nodes = ast.walk(ast.parse(found.text))
    text = "\n".join(str(node.value) for node in nodes if isinstance(node, ast.Constant))
    for name in REGISTRY.contracts[stem].equations:
        for condition in conditions_of(REGISTRY, stem, name, target):
            assert f"{condition.expression} [" in text
    assert len(found.dropped) == found.text.count("# Not checked: ")
    assert all("old(" in problem.message for problem in found.dropped)
    assert target == "deal" or not found.dropped


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES.keys())
def test_examples_of_the_library_get_the_same_verdict(case: Case, target: str) -> None:
    """Good values pass; each fault is found by the condition that it breaks."""
    module = module_of(case.contract, target)
    conditions = conditions_of(REGISTRY, case.contract, case.equation, target)
    batches = islice(case.bounded(), 30)
    for fields in [case.good, *batches]:
        assert exported_verdict(module, case.equation, fields, conditions) == ""
    for fault in case.bad.values():
        fields = case.good | fault
        expected = own_verdict(conditions, fields)
        assert exported_verdict(module, case.equation, fields, conditions) == expected


NUMBERS = st.sampled_from([0.0, -1.0, 1.0, 0.5, 3.0, 1e-5, 7e4, 1e30, np.nan, np.inf, -np.inf])
DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int32]


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """A field that somebody planted a number in, scaled, cut, stored otherwise, or replaced."""
    kind = draw(st.sampled_from(["plant", "scale", "cut", "cast", "number"]))
    if kind == "number" or not isinstance(value, np.ndarray) or not value.ndim or not value.size:
        return draw(NUMBERS)
    with np.errstate(all="ignore"):
        match kind:
            case "plant":
                value = value.astype(np.float64)
                value.flat[draw(st.integers(0, value.size - 1))] = draw(NUMBERS)
                return value
            case "scale":
                return value * draw(st.sampled_from([0.0, 0.93, 1.001, -1.0, 1e20]))
            case "cut":
                return value[: draw(st.integers(0, value.shape[0]))]
            case _:
                finite = np.nan_to_num(value.astype(np.float64), posinf=1e4, neginf=-1e4)
                return finite.astype(draw(st.sampled_from(DTYPES)))


@settings(max_examples=15)
@given(st.data())
@pytest.mark.parametrize("stem", STEMS)
def test_generated_values_get_the_same_verdict(stem: str, data: st.DataObject) -> None:
    """Fields of the examples, damaged at random; every target says what tracepact says."""
    case = data.draw(st.sampled_from([c for c in _CASES.values() if c.contract == stem]))
    bad = data.draw(st.sampled_from([{}, *case.bad.values()]))
    fields = dict(case.good | bad)
    for name in data.draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=2)):
        fields[name] = data.draw(damaged(fields[name]))
    for name in [key.removeprefix("old(").rstrip(")") for key in fields if "old(" in key]:
        # A function changes its argument in place, so shape and dtype stay.
        now = np.array(fields[name], np.float64)
        old = np.array(fields[f"old({name})"], np.float64)
        fields |= {name: now, f"old({name})": np.resize(old, now.shape)}
    for target in INSTALLED:
        conditions = conditions_of(REGISTRY, case.contract, case.equation, target)
        said = exported_verdict(module_of(stem, target), case.equation, fields, conditions)
        assert said == own_verdict(conditions, fields), target


# -- any predicate over any fields --------------------------------------------------------------

VALUES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 96.0, np.nan, np.inf, -np.inf]
SHAPES = [(2, 3), (3,), (), (2, 1, 3), (1, 1), (0,), (0, 3), (2, 0), (1,)]
LEAVES = ["x", "y", "s", "tol", "old(x)", "0.5", "1", "-3", "inf", "nan", "len(x)", "size(y)"]
LEAVES += ["itemsize(y)", "shape(x)[-1]", "shape(s)[0]", "ndim(y)", "true"]
CALLS = ["abs", "floor", "ceil", "sign", "round", "sqrt", "exp", "log", "sum", "min", "max", "mean"]
CALLS += ["std", "norm", "argmin", "argmax", "row_sums", "row_norms", "row_min", "row_max"]
CALLS += ["row_argmax"]
FORMS = [*(f"{name}({{0}})" for name in CALLS), "row_dots({0}, {1})", "min({0}, {1}, {2})"]
FORMS += [f"({{0}} {operator} {{1}})" for operator in ("+", "-", "*", "/", "//", "%", "**")]
FORMS += ["-{0}", "max({0}, {1})", "where({0} < {1}, {1}, {2})", "count({0} >= {1})", "count({0})"]
FORMS += ["sum({0} > {1})", "where({0}, {1}, {2})"]
FORMS += ["row_norms({0} > {1})", "row_dots({0} > {1}, {2} > {1})", "row_sums({0} > {1})"]
CLAIMS = [f"{{0}} {operator} {{1}}" for operator in ("==", "!=", "<", "<=", ">", ">=")]
CLAIMS += [
    "isfinite({0})",
    "isnan({0})",
    "isinf({0})",
    "{0} in [{1}, {2})",
    "{0} not in ({1}, {2}]",
]
CLAIMS += [
    "close({0}, {1}, {2})",
    "all({0})",
    "any({0})",
    "shape(x) == shape(y)",
    'dtype(x) == "f"',
]
CLAIMS += ["shape(x) != (2, 3)", "shape(x) == (2, len(y))", "dtype(x) == dtype(y)"]
JOINED = ["({0}) and ({1})", "({0}) or ({1})", "not ({0})", "all({0})"]
JOINED += ["any({0})", "not any({0})"]
JOINED += ["all(({0}) and ({1}))", "({0}) == ({1})", "({0}) + 1 > ({1})"]


def _filled(forms: list[str], parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(str.format, st.sampled_from(forms), parts, parts, parts)


AMOUNTS = st.recursive(st.sampled_from(LEAVES), lambda inner: _filled(FORMS, inner), max_leaves=5)
TEXTS = st.recursive(_filled(CLAIMS, AMOUNTS), lambda inner: _filled(JOINED, inner), max_leaves=3)


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    shape = draw(st.sampled_from(SHAPES))
    size = int(np.prod(shape))
    dtype = np.dtype(draw(st.sampled_from([*DTYPES, ">f4", np.bool_])))
    values = VALUES[:8] if dtype.kind in "ib" else VALUES
    flat = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
    return np.array(flat, np.float64).astype(dtype).reshape(shape)


SINGLE = st.sampled_from(VALUES) | st.integers(-3, 3) | st.booleans() | st.just(np.float32(2))
FIELDS = st.fixed_dictionaries(
    {"x": arrays(), "old(x)": arrays(), "y": arrays() | SINGLE, "s": SINGLE | st.just([1, 2])}
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, FIELDS)
def test_any_predicate_gets_the_same_verdict(text: str, fields: dict[str, Any]) -> None:
    try:
        parse_predicate(text)
    except PredicateError:
        return
    registry = registry_of(text)
    conditions = conditions_of(registry, "demo-v1", "demo", "asserts")
    module = load(export_contract(registry, "demo-v1", "asserts").text)
    said = exported_verdict(module, "demo", fields, conditions)
    assert said == own_verdict(conditions, fields)


@pytest.mark.parametrize(
    ("text", "dtype", "tolerance"),
    [
        ("abs(row_sums(ret) - 1) <= tol", np.float32, 1.6e-5),
        ("abs(row_sums(ret) - 1) <= tol", np.float16, 6.26e-4),
        ("abs(sum(ret) - 4) <= tol", np.float32, 6.4e-5),
        ("abs(sum(ret) - 4) <= tol", np.float16, 1.04e-3),
    ],
)
@pytest.mark.parametrize("share", [0.9, 1.1])
def test_tolerance_grows_with_dtype_and_length(
    text: str, dtype: Any, tolerance: float, share: float
) -> None:
    """1e-6 is 16 times as much for rows of 4 096 elements, and more where storage rounds."""
    ret = np.zeros((4, 4096), dtype)
    ret[:, :2] = 0.5
    ret[0, 2] = share * tolerance
    registry = registry_of(text, tolerance=1e-6)
    conditions = conditions_of(registry, "demo-v1", "demo", "asserts")
    expected = own_verdict(conditions, {"ret": ret})
    assert expected == ("" if share < 1 else text)
    for target in INSTALLED:
        module = load(export_contract(registry, "demo-v1", target).text)
        assert exported_verdict(module, "demo", {"ret": ret}, conditions) == expected
