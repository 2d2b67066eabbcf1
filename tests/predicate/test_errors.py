"""What a mistake looks like to its author."""

from __future__ import annotations

import pickle

from tracepact.errors import ConfigError, TracepactError
from tracepact.predicate import MeasureError, PredicateError
from tracepact.types import SourceLocation


def test_message_says_where_what_and_what_next() -> None:
    error = PredicateError(
        "unknown function 'f'",
        "x < f(y)",
        4,
        hint="did you mean 'floor'?",
        origin=SourceLocation("c.yaml", 14, 9),
    )
    assert str(error).splitlines() == [
        "c.yaml:14:9: unknown function 'f'",
        "  x < f(y)",
        "      ^",
        "  did you mean 'floor'?",
    ]


def test_message_without_origin_or_hint_leaves_them_out() -> None:
    assert str(PredicateError("unexpected end", "x <", 3)) == "unexpected end\n  x <\n     ^"


def test_message_shows_the_line_of_a_text_of_several() -> None:
    error = PredicateError("unexpected 'y'", "x <\n1 y\nand z", 6)
    assert str(error).splitlines()[1:] == ["  1 y", "    ^"]


def test_message_shows_a_piece_of_a_long_text() -> None:
    error = PredicateError("unexpected '!'", "x" * 5000 + "!" + "y" * 5000, 5000)
    excerpt, caret = str(error).splitlines()[1:]
    assert excerpt.strip() == "x" * 60 + "!" + "y" * 59
    assert excerpt[caret.index("^")] == "!"


def test_message_holds_no_control_characters() -> None:
    error = PredicateError("unexpected character", "x \x1b[31m\t@", 8)
    excerpt, caret = str(error).splitlines()[1:]
    assert excerpt == "  x �[31m�@"
    assert excerpt[caret.index("^")] == "@"


def test_error_survives_pickling() -> None:
    """Process pools send exceptions to their parent that way."""
    error = PredicateError("unexpected end", "x <", 3, hint="more", origin=SourceLocation("c", 1))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reason, copy.text, copy.offset, copy.hint) == (
        str(error),
        error.reason,
        error.text,
        error.offset,
        error.hint,
    )


def test_bases_say_when_a_mistake_is_found() -> None:
    assert issubclass(PredicateError, ConfigError)
    assert issubclass(MeasureError, TracepactError)
    assert issubclass(MeasureError, ValueError)
