"""Long statements are broken where Python allows it."""

from __future__ import annotations

import ast

from tracepact.codegen.layout import WIDTH, call, literal


def test_short_call_stays_on_one_line() -> None:
    assert call("f", ["a", "b"], indent=4, tail=":") == ["    f(a, b):"]


def test_long_call_has_a_line_for_each_argument() -> None:
    lines = call("function", ["a" * 40, "b" * 40], indent=4)
    assert lines == ["    function(", f"        {'a' * 40},", f"        {'b' * 40},", "    )"]


def test_literal_is_never_broken_at_its_spaces() -> None:
    text = "it's a \\ b " * 9
    source = f"x == {text!r} or y == {text!r}"
    lines = call("f", [source, "z"])
    assert len(lines) > 3
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(f"f({source}, z)"))


def test_long_text_is_cut_between_words_and_stays_the_same() -> None:
    for text in ("one two " * 30, "x" * 200, "a " + "b" * 100 + " c", "short"):
        source = literal(text, indent=8)
        assert ast.literal_eval(source) == text
        assert max(map(len, source.splitlines())) <= WIDTH
