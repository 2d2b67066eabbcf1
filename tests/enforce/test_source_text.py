"""The text of a lambda is its body as written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tracepact.enforce.source_text import text_of

FACTOR = 2


def bound() -> Callable[[int], int]:
    own = 3
    return lambda x: x + own


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x > FACTOR, "x > FACTOR"),
        (lambda x, ret: (x > 0) and all(each > x for each in ret), None),
        (
            lambda x: (
                x.shape[0]
                ==
                FACTOR
            ),
            "x.shape[0] == FACTOR",
        ),
        (lambda x: x if x else (x + 1), "x if x else (x + 1)"),
        (lambda x: (x or 1) if x else 2, "(x or 1) if x else 2"),
        (lambda é: "ü" + é == "üß", '"ü" + é == "üß"'),
        (bound(), "x + own"),
        (lambda: True, "True"),
        (len, "len(x)"),
        (bound, "bound(x)"),
        (partial(max, 1), "partial(x)"),
    ],
)  # fmt: skip
def test_text_is_the_body(function: Callable[..., Any], text: str | None) -> None:
    expected = "(x > 0) and all(each > x for each in ret)" if text is None else text
    assert text_of(function, ("x",)) == expected


def test_lambda_without_source_is_called_by_its_names() -> None:
    namespace: dict[str, Any] = {}
    exec(compile("f = lambda x, ret: x > ret", "<nowhere>", "exec"), namespace)
    assert text_of(namespace["f"], ("x", "ret")) == "lambda(x, ret)"
