"""A contract is untrusted: whatever it says, an exported module does nothing but check."""

from __future__ import annotations

import ast
import keyword
import re
import tokenize
from io import StringIO
from typing import Any

import numpy as np
import pytest
from exporting import TARGETS, load, registry_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tracepact.codegen import Export, export_contract
from tracepact.codegen.prelude import helper_names

BREAKOUTS = [
    '"""', "'''", '"', "'", "\\", "\n", "\r", "\u2028", "\x00", "\x0c", "#", "{", "}", "%s",
    "\ud800", "\nimport os\nCANARY()\n", '"""\nCANARY()\n"""', "'); CANARY(); ('", "${IFS}",
    "\u202e", "ß", " ", "# fmt: on", "# type: ignore", "coding: latin-1", "\n    CANARY()",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(BREAKOUTS) | st.text(max_size=4), max_size=5).map("".join)

FIELDS = [
    *("class", "lambda", "None", "match", "_", "__", "__debug__", "__import__", "__name__"),
    *("np", "Any", "abs", "float", "int", "all", "bool", "isinstance", "assert", "print"),
    *("_holds", "_field", "_tolerance", "_TERMS", "_F", "Callable", "TypeVar", "function"),
    *("result", "OLD", "_ARGS", "_KWARGS", "deal", "icontract", "keys", "values", "get"),
    *("check_demo_requires", "check_demo_ensures", "enforce_demo", "_demo_ensures_1"),
    *("old_x", "x_dtype", "tol_2", "x_", "class_", "ret_", "self", "cls", "annotations"),
]
SHAPES = ["{0} > 0", "old({0}) > 0", "dtype({0}) == 'a' or {0} > tol", "sum({0}) + {1} > tol"]
SHAPES += ["row_sums({0}) - {1} < tol + 99", "{0} + ret > 0", "itemsize({0}) + old(x) + {1} > 0"]


@st.composite
def predicates(draw: st.DrawFn) -> str:
    names = st.sampled_from(FIELDS)
    return draw(st.sampled_from(SHAPES)).format(draw(names), draw(names))


def exported(target: str, *args: Any, **kwargs: Any) -> Export:
    registry = registry_of(*args, **kwargs)
    stem = next(iter(registry.contracts))
    return export_contract(registry, stem, target)


@settings(max_examples=150)
@given(TEXT, TEXT.filter(bool), TEXT, TEXT, st.lists(predicates(), min_size=1, max_size=3))
def test_text_of_a_contract_stays_text(
    stem: str, equation: str, claim: str, version: str, post: list[str]
) -> None:
    for target in TARGETS:
        text = exported(
            target, *post, "x > 0", stem=stem, equation=equation, claim=claim, version=version
        ).text
        tree = ast.parse(text)
        assert "CANARY" not in {getattr(node, "id", "") for node in ast.walk(tree)}
        assert [type(node) for node in tree.body if not _is_expected(node)] == []
        comments = list(tokenize.generate_tokens(StringIO(text).readline))
        assert all(t.string.isprintable() for t in comments if t.type == tokenize.COMMENT)


def _is_expected(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Constant()) | ast.FunctionDef():
            return True
        case ast.Import(names) | ast.ImportFrom(names=names):
            known = {"annotations", "Any", "Callable", "TypeVar", "numpy", "icontract", "deal"}
            return {name.name for name in names} <= known
        case ast.Assign([ast.Name("_F")], ast.Call(ast.Name("TypeVar"))):
            return True
        case ast.Assign([ast.Name(name)], value):
            return name in helper_names() and ast.literal_eval(value) is not None
        case _:
            return False


@settings(max_examples=100)
@given(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
def test_field_may_have_any_name(names: list[str]) -> None:
    """Keywords, builtins, helpers: the parameter gets an underscore, and the check works."""
    text = exported("asserts", *(f"{name} > 0 and abs({name}) < tol * 8" for name in names)).text
    check = load(text)["check_demo_ensures"]
    given = list(check.__annotations__)[: len(names)]
    assert not set(given) & {*keyword.kwlist, *helper_names(), "np", "abs", "Any"}
    assert check(**dict.fromkeys(given, 1.0))
    for bad in given:
        with pytest.raises(AssertionError, match="> 0"):
            check(**{**dict.fromkeys(given, 1.0), bad: -1.0})


@pytest.mark.parametrize("name", FIELDS)
def test_decorated_function_may_have_parameters_of_any_name(name: str, target: str) -> None:
    if target == "asserts":
        return
    text = exported(target, f"{name} < ret", pre=(f"{name} > 0",)).text
    module = load(text)
    wanted = rf'_\["({name}_*)"\]' if target == "deal" else rf"def _demo_requires_1\(({name}_*): "
    parameter = max(re.findall(wanted, text), key=len)  # deal has `_["result"]` as well
    namespace: dict[str, Any] = {}
    exec(f"def function({parameter}): return 5.0", namespace)
    function = module["enforce_demo"](namespace["function"])
    assert function(1.0) == 5.0
    with pytest.raises(Exception, match="> 0"):
        function(-1.0)
    with pytest.raises(Exception, match="< ret"):
        function(np.float32(6.0))
