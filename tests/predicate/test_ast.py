"""The tree and its canonical text; `test_python_dialect` has the round trip."""

from __future__ import annotations

import math

import pytest

from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Slot,
    Text,
    Tuple,
    Unary,
    children,
    unparse,
    walk,
)

X, Y, ONE = Name("x"), Name("y"), Number(1.0)

CANONICAL: list[tuple[Node, str]] = [
    (Number(3.0), "3"),
    (Number(-3.0), "-3"),
    (Number(0.1), "0.1"),
    (Number(1e15), "1000000000000000.0"),
    (Number(1e300), "1e+300"),
    (Number(math.inf), "inf"),
    (Number(-math.inf), "-inf"),
    (Number(math.nan), "nan"),
    (Text("float32"), '"float32"'),
    (Text('"'), "'\"'"),
    (Slot(4, "max(x)"), "max(x)"),
    (Tuple(()), "()"),
    (Tuple((X,)), "(x,)"),
    (Tuple((X, ONE)), "(x, 1)"),
    (Call("abs", (X,)), "abs(x)"),
    (Unary("-", Binary("+", X, Y)), "-(x + y)"),
    (Unary("not", Logical("or", (X, Y))), "not (x or y)"),
    (Binary("-", X, Binary("-", Y, ONE)), "x - (y - 1)"),
    (Binary("-", Binary("-", X, Y), ONE), "x - y - 1"),
    (Binary("**", Number(-2.0), X), "(-2) ** x"),
    (Binary("**", Binary("**", X, Y), ONE), "(x ** y) ** 1"),
    (Compare("<", Compare("<", X, Y), ONE), "(x < y) < 1"),
    (Logical("and", (X, Logical("or", (X, Y)))), "x and (x or y)"),
]


@pytest.mark.parametrize(("node", "text"), CANONICAL, ids=[text for _, text in CANONICAL])
def test_canonical_text(node: Node, text: str) -> None:
    assert unparse(node) == text


def test_positions_take_no_part_in_equality() -> None:
    assert Name("x", offset=3) == Name("x", offset=9)
    assert hash(Compare("<", X, ONE, offset=1)) == hash(Compare("<", X, ONE, offset=2))


def test_walk_yields_parents_first_and_left_to_right() -> None:
    tree = Logical("and", (Compare("<", X, ONE), Call("abs", (Unary("-", Y),)), Tuple((X,))))
    assert [unparse(node) for node in walk(tree)] == [
        "x < 1 and abs(-y) and (x,)",
        "x < 1",
        "x",
        "1",
        "abs(-y)",
        "-y",
        "y",
        "(x,)",
        "x",
    ]


def test_leaves_have_no_children() -> None:
    leaves: list[Node] = [X, ONE, Text("t"), Slot(0, "s")]
    assert [children(node) for node in leaves] == [()] * 4
