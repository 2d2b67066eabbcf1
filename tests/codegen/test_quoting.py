"""Names and literals in generated source."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from tracepact.codegen.quoting import Names, docstring, identifier, quoted, unbroken


@given(st.text())
def test_literal_is_the_text_on_one_printable_line(text: str) -> None:
    for source in (quoted(text), docstring(text)):
        assert source.isprintable()
        assert ast.literal_eval(source) == text


@given(st.text())
def test_comment_stays_on_its_line(text: str) -> None:
    assert unbroken(text).isprintable()


def test_literal_prefers_double_quotes() -> None:
    assert quoted("it's") == '"it\'s"'
    assert quoted('a "b"') == "'a \"b\"'"


@given(st.text())
def test_identifier_is_one(text: str) -> None:
    assert identifier(text).isidentifier()
    assert identifier(text).isascii()


def test_equations_with_one_identifier_get_two_names() -> None:
    names = Names(["np"])
    assert names.of("a b", identifier("a b")) == "a_b"
    assert names.of("a_b", identifier("a_b")) == "a_b_"
    assert names.of("a b", identifier("a b")) == "a_b"
    assert names.of("np", "np") == "np_"
    assert identifier("3 x") == "_3_x"
    assert identifier("δ") == "_"
