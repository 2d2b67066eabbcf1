"""The Python dialect: what parses to what, what does not, and what parsing may cost."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.predicate import PredicateError
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
    unparse,
    walk,
)
from tracepact.predicate.functions import FUNCTIONS, FunctionKind
from tracepact.predicate.python_dialect import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_NODES,
    join,
    make_call,
    parse,
)

X, Y, Z = Name("x"), Name("y"), Name("z")
ZERO, ONE, TWO = Number(0.0), Number(1.0), Number(2.0)


def compare(operator: str, left: Node = X, right: Node = ONE) -> Compare:
    return Compare(operator, left, right)


def both(*operands: Node) -> Logical:
    return Logical("and", operands)


GRAMMAR: dict[str, Node] = {
    # numbers and constants
    "1": ONE,
    "1.5": Number(1.5),
    "1.": ONE,
    ".5": Number(0.5),
    "1e-6": Number(1e-6),
    "2.5E+3": Number(2500.0),
    "1_000": Number(1000.0),
    "1e999": Number(math.inf),
    "-1": Number(-1.0),
    "--1": ONE,
    "+1": ONE,
    "true": ONE,
    "True": ONE,
    "false": ZERO,
    "False": ZERO,
    "inf": Number(math.inf),
    "-inf": Number(-math.inf),
    "pi": Number(math.pi),
    # names
    "x": X,
    "_x9": Name("_x9"),
    "android": Name("android"),
    "tol": Name("tol"),
    "sum": Name("sum"),
    # arithmetic
    "x + y - z": Binary("-", Binary("+", X, Y), Z),
    "x + y * z": Binary("+", X, Binary("*", Y, Z)),
    "x * y + z": Binary("+", Binary("*", X, Y), Z),
    "x / y // z % x": Binary("%", Binary("//", Binary("/", X, Y), Z), X),
    "(x + y) * z": Binary("*", Binary("+", X, Y), Z),
    "x ** y ** z": Binary("**", X, Binary("**", Y, Z)),
    "-x ** 2": Unary("-", Binary("**", X, TWO)),
    "(-x) ** 2": Binary("**", Unary("-", X), TWO),
    "x ** -y": Binary("**", X, Unary("-", Y)),
    "x * -y": Binary("*", X, Unary("-", Y)),
    "-x * y": Binary("*", Unary("-", X), Y),
    "x - -1": Binary("-", X, Number(-1.0)),
    "+x": X,
    # comparison
    "x == 1": compare("=="),
    "x != 1": compare("!="),
    "x < 1": compare("<"),
    "x <= 1": compare("<="),
    "x > 1": compare(">"),
    "x >= 1": compare(">="),
    "x + 1 < y * 2": Compare("<", Binary("+", X, ONE), Binary("*", Y, TWO)),
    "0 <= x < 1": both(Compare("<=", ZERO, X), compare("<")),
    "0 < x < y < 1": both(Compare("<", ZERO, X), Compare("<", X, Y), Compare("<", Y, ONE)),
    "(x < 1) < 2": Compare("<", compare("<"), TWO),
    # intervals
    "x in [0, 1]": both(compare(">=", X, ZERO), compare("<=")),
    "x in (0, 1]": both(compare(">", X, ZERO), compare("<=")),
    "x in [0, 1)": both(compare(">=", X, ZERO), compare("<")),
    "x in (0, 1)": both(compare(">", X, ZERO), compare("<")),
    "x in [-inf, y + 1]": both(
        compare(">=", X, Number(-math.inf)), compare("<=", X, Binary("+", Y, ONE))
    ),
    "x in [y - 1, y * 2 + 1)": both(
        compare(">=", X, Binary("-", Y, ONE)),
        compare("<", X, Binary("+", Binary("*", Y, TWO), ONE)),
    ),
    "x not in [0, 1]": Unary("not", both(compare(">=", X, ZERO), compare("<="))),
    "y < x in [0, 1]": both(Compare("<", Y, X), compare(">=", X, ZERO), compare("<=")),
    # logic
    "not x": Unary("not", X),
    "not not x": Unary("not", Unary("not", X)),
    "not x == 1": Unary("not", compare("==")),
    "x and y or z": Logical("or", (both(X, Y), Z)),
    "x or y and z": Logical("or", (X, both(Y, Z))),
    "(x or y) and z": both(Logical("or", (X, Y)), Z),
    "not x and y": both(Unary("not", X), Y),
    "x and (y and z)": both(X, Y, Z),
    "x or y or z": Logical("or", (X, Y, Z)),
    # calls
    "abs(x)": Call("abs", (X,)),
    "min(x)": Call("min", (X,)),
    "min(x, y, z)": Call("min", (X, Y, Z)),
    "min(x, y,)": Call("min", (X, Y)),
    "where(x < 1, y, z)": Call("where", (compare("<"), Y, Z)),
    "close(x, y, z)": Compare(
        "<=",
        Call("abs", (Binary("-", X, Y),)),
        Binary("*", Z, Call("max", (ONE, Call("abs", (Y,))))),
    ),
    # shapes, dtypes, old
    "shape(x)[-1] == 1": compare("==", Call("shape", (X, Number(-1.0)))),
    "shape(x, 0) == 1": compare("==", Call("shape", (X, ZERO))),
    "shape(x) == (2, y)": compare("==", Call("shape", (X,)), Tuple((TWO, Y))),
    "shape(x) == (2,)": compare("==", Call("shape", (X,)), Tuple((TWO,))),
    "shape(x) == ()": compare("==", Call("shape", (X,)), Tuple(())),
    'dtype(x) == "float32"': compare("==", Call("dtype", (X,)), Text("float32")),
    "dtype(x) != 'float32'": compare("!=", Call("dtype", (X,)), Text("float32")),
    "old(x) == x": compare("==", Call("old", (X,)), X),
    # white space
    "  x\n  <\t1 ": compare("<"),
    "0<=x<=1": both(Compare("<=", ZERO, X), compare("<=")),
}


@pytest.mark.parametrize("text", GRAMMAR)
def test_text_parses_to_tree(text: str) -> None:
    assert parse(text) == GRAMMAR[text]


def test_nan_is_a_literal() -> None:
    node = parse("nan")
    assert isinstance(node, Number)
    assert math.isnan(node.value)


MISTAKES = [
    # text, offset, reason, part of the hint
    ("", 0, "unexpected end", "expected a name"),
    ("   ", 0, "unexpected end", ""),
    ("x <", 3, "unexpected end", "expected a name"),
    ("x y", 2, "unexpected 'y'", ""),
    ("x = 1", 2, "unexpected character '='", ""),
    ("x & y", 2, "unexpected character '&'", ""),
    ("x.shape", 1, "unexpected character '.'", ""),
    ("x[0]", 1, "unexpected '['", ""),
    ("sum(x)[0]", 6, "only shape(x) can be indexed", ""),
    ("lambda: 1", 6, "unexpected character ':'", ""),
    ("x if y else z", 2, "unexpected 'if'", ""),
    ("(x", 2, "unexpected end", "expected ',' or ')'"),
    ("x)", 1, "unexpected ')'", ""),
    ("min(x y)", 6, "unexpected 'y'", "expected ',' or ')'"),
    ("x in {0, 1}", 5, "unexpected character '{'", ""),
    ("x in 3", 5, "unexpected '3'", "expected '[' or '('"),
    ("x in [0]", 7, "unexpected ']'", "expected ','"),
    ("x in [0, 1", 10, "unexpected end", "expected ']' or ')'"),
    ("x in [0, 1] < 2", 12, "unexpected '<'", ""),
    ("x not y", 2, "unexpected 'not'", ""),
    ("and x", 0, "unexpected 'and'", "expected a name"),
    ("x and", 5, "unexpected end", ""),
    ("1x", 0, "'1x' is not a number", ""),
    ("1.2.3", 0, "'1.2.3' is not a number", ""),
    ('"abc', 0, "unexpected character '\"'", ""),
    ("softmaxx(x)", 0, "unknown function 'softmaxx'", "known: abs, all, any"),
    ("isfinit(x)", 0, "unknown function 'isfinit'", "did you mean 'isfinite'?"),
    ("x < clos(x, 1, 2)", 4, "unknown function 'clos'", "did you mean 'close'?"),
    ("eval(x)", 0, "unknown function 'eval'", ""),
    ("abs()", 0, "abs takes 1 argument, not 0", ""),
    ("abs(x, y)", 0, "abs takes 1 argument, not 2", ""),
    ("min(" + ",".join("x" * 9) + ")", 0, "min takes 1 to 8 arguments, not 9", ""),
    ("row_dots(x)", 0, "row_dots takes 2 arguments, not 1", ""),
    ("close(x, y)", 0, "close takes 3 arguments: close(a, b, tol)", ""),
    ("len(x + 1)", 0, "len takes the name of a field", ""),
    ("old(1)", 0, "old takes the name of a field", ""),
    ("shape(x)[y]", 0, "an axis is a whole number, as in shape(x)[-1]", ""),
    ("shape(x)[0.5]", 0, "an axis is a whole number, as in shape(x)[-1]", ""),
    ("shape(x)[inf]", 0, "an axis is a whole number, as in shape(x)[-1]", ""),
    ("shape(x, 0, 1)", 0, "shape takes 1 to 2 arguments, not 3", ""),
    ("shape(x)[0][1]", 11, "unexpected '['", ""),
    ("x < \x00", 4, "unexpected character '\\x00'", ""),
    ("x < ١٢", 4, "unexpected character '١'", ""),
    ("x < ４", 4, "unexpected character '４'", ""),
    ("é < 1", 0, "unexpected character 'é'", ""),
    ("x \xa0 @", 4, "unexpected character '@'", ""),
]


@pytest.mark.parametrize(("text", "offset", "reason", "hint"), MISTAKES)
def test_mistake_is_placed_and_named(text: str, offset: int, reason: str, hint: str) -> None:
    with pytest.raises(PredicateError) as caught:
        parse(text)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)
    assert hint in caught.value.hint
    assert caught.value.text == text


def test_text_may_be_as_long_as_the_limit() -> None:
    assert parse("x".ljust(MAX_CHARACTERS)) == X


def test_longer_text_is_refused() -> None:
    with pytest.raises(PredicateError, match="2001 characters is too long"):
        parse("x".ljust(MAX_CHARACTERS + 1))


def test_nesting_has_a_limit() -> None:
    deepest = MAX_DEPTH - 1
    assert parse("(" * deepest + "x" + ")" * deepest) == X
    for opening, closing in (("(", ")"), ("abs(", ")"), ("not ", ""), ("-", ""), ("2**", "")):
        with pytest.raises(PredicateError, match="nested too deeply"):
            parse(opening * 100 + "x" + closing * 100)


def test_nodes_have_a_limit() -> None:
    assert sum(1 for _ in walk(parse("+".join(["x"] * 190)))) <= MAX_NODES
    with pytest.raises(PredicateError, match="too many terms"):
        parse("+".join(["x"] * 250))


@pytest.mark.parametrize(
    "pattern",
    ["({} in [0, 1])", "close(1, {}, 1)", "(0 < {} < 1)", "(0 < {} in [0, 1])"],
    ids=["interval", "close", "chain", "chain into interval"],
)
def test_repeated_operands_count_as_often_as_they_stand_in_the_tree(pattern: str) -> None:
    """Intervals, chains and `close` copy an operand; nested, the tree would double each time."""
    text = "x"
    for _ in range(3):
        text = pattern.format(text)
    assert sum(1 for _ in walk(parse(text))) <= MAX_NODES
    for _ in range(25):
        text = pattern.format(text)
    start = time.perf_counter()
    with pytest.raises(PredicateError, match="too many terms"):
        parse(text)
    assert time.perf_counter() - start < 0.5


HOSTILE = [
    "9" * 1999,
    "9**9**9**9**9**9 < x",
    "9**99999999 > 0",
    "(" * 2000,
    "[" * 2000,
    "-" * 2000 + "1",
    "not " * 500,
    "x" + " < x" * 499,
    "x" + " in [0,1]" * 200,
    "x and " * 333,
    "min(" * 400,
    "1e99999999999999999999",
    "x" * 2000 + "(1)",
    '"' * 2000,
    "'" + "a" * 1998 + "'",
    "\x00" * 2000,
    "x<" * 1000,
    "close(" * 300,
    "." * 2000,
    "1" + "_" * 1998,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_costs_a_bounded_time(text: str) -> None:
    start = time.perf_counter()
    message = ""
    try:
        parse(text)
    except PredicateError as error:
        message = str(error)
    assert time.perf_counter() - start < 0.5
    assert len(message) < 1000


TOKENS = [
    *("x", "y", "tol", "1", "0.5", "1e-3", "inf", "nan", "true", '"float32"', "old"),
    *("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">="),
    *("and", "or", "not", "in", "(", ")", "[", "]", ",", "close"),
    *FUNCTIONS,
]


@given(st.text(max_size=80) | st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join))
def test_any_text_parses_or_is_a_predicate_error(text: str) -> None:
    try:
        offset, nodes = 0, sum(1 for _ in walk(parse(text)))
    except PredicateError as error:
        offset, nodes = error.offset, 0
    assert 0 <= offset <= len(text)
    assert nodes <= MAX_NODES


# -- round trip --------------------------------------------------------------------------------


@st.composite
def calls(draw: st.DrawFn, operands: st.SearchStrategy[Node]) -> Node:
    name = draw(st.sampled_from([*FUNCTIONS, "close"]))
    if name == "close":
        return make_call("close", (draw(operands), draw(operands), draw(operands)), 0, "")
    function = FUNCTIONS[name]
    count = draw(st.integers(function.minimum, function.maximum))
    if function.kind is not FunctionKind.META:
        return make_call(name, tuple(draw(operands) for _ in range(count)), 0, "")
    arguments: list[Node] = [Name(draw(st.sampled_from("xyz")))]
    if count == 2:
        arguments.append(Number(float(draw(st.integers(-5, 5)))))
    return make_call(name, tuple(arguments), 0, "")


def _compound(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def pairs(build: Any, operators: list[str]) -> st.SearchStrategy[Node]:
        return st.builds(build, st.sampled_from(operators), operands, operands)

    return st.one_of(
        # The parser folds the minus of a literal into it.
        operands.filter(lambda n: not isinstance(n, Number)).map(lambda n: Unary("-", n)),
        operands.map(lambda node: Unary("not", node)),
        pairs(Binary, ["+", "-", "*", "/", "//", "%", "**"]),
        pairs(Compare, ["==", "!=", "<", "<=", ">", ">="]),
        st.builds(
            lambda operator, parts: join(operator, parts, 0),
            st.sampled_from(["and", "or"]),
            st.lists(operands, min_size=2, max_size=3),
        ),
        st.lists(operands, max_size=3).map(lambda items: Tuple(tuple(items))),
        calls(operands),
    )


TREES = st.recursive(
    st.one_of(
        st.floats(allow_nan=False).map(Number),
        st.sampled_from(["x", "y_1", "tol", "sum", "ret"]).map(Name),
        st.sampled_from(["", "float32", "it's", 'a "name"']).map(Text),
    ),
    _compound,
    max_leaves=12,
)


@given(TREES)
def test_canonical_text_parses_to_the_same_tree(tree: Node) -> None:
    assert parse(unparse(tree)) == tree


@given(TREES)
def test_canonical_text_is_a_fixed_point(tree: Node) -> None:
    text = unparse(tree)
    assert unparse(parse(text)) == text
