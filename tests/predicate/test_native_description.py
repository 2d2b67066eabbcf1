"""A plan is handed to C as tuples; what is not sound is refused, and nothing crashes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

native = pytest.importorskip("tracepact.core._native", reason="this build has no native core")


@pytest.fixture(autouse=True)
def _every_core() -> None:
    """This file is about one core alone; it need not run once with each."""


VALID: tuple[Any, ...] = (
    ("x", "y"),
    (
        ("tolerance", 0.1, (0, 1), 0, 0, 3),
        ("measure", 0, 3, (("lowest", 0), ("highest", 1), ("count", 2)), -1),
        ("moments", 1, 2, 3),
        ("pass", (("value", 0), ("value", 1), ("slot", 3), ("<=", 0, 1)), (("test", 3),)),
    ),
    ((0, 0.0, 1.0, 2),),
    ((("slot", 3), ("constant", 0.0), ("<", 1, 0)), ((2, -1),)),
    None,
    (256.0, (("float16", 0.1, 0.0),)),
)


def test_a_sound_description_is_a_plan() -> None:
    assert native.Plan(*VALID).run(0.5, 0.5) is True
    assert native.Plan(*VALID).run(np.zeros(3), np.zeros(3)) is True


ATOMS = st.sampled_from(
    [
        *range(-2, 9),
        31,
        32,
        63,
        64,
        127,
        128,
        255,
        256,
        2**31,
        -(2**70),
        0.5,
        math.nan,
        None,
        (),
        "x",
    ]
    + [
        "pass",
        "measure",
        "rows",
        "value",
        "slot",
        "constant",
        "<=",
        "where",
        "test",
        "stats",
        "sum",
    ]
)


def places(part: Any) -> int:
    return 1 + sum(map(places, part)) if isinstance(part, tuple) else 1


def replaced(part: Any, place: int, new: Any) -> Any:
    """The description with one of its parts replaced."""
    if place == 0 or not isinstance(part, tuple):
        return new if place == 0 else part
    parts, place = list(part), place - 1
    for index, inner in enumerate(parts):
        if 0 <= place < places(inner):
            parts[index] = replaced(inner, place, new)
        place -= places(inner)
    return tuple(parts)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    parts: Any = VALID
    for _ in range(draw(st.integers(1, 3))):
        new = draw(ATOMS | st.tuples(ATOMS) | st.tuples(ATOMS, ATOMS))
        parts = replaced(parts, draw(st.integers(1, places(parts) - 1)), new)
    return parts


@settings(max_examples=600)
@given(damaged())
def test_a_damaged_description_is_refused_or_runs_without_harm(parts: Any) -> None:
    try:
        plan = native.Plan(*parts)
    except (ValueError, TypeError, OverflowError):
        return
    for value in (0.5, np.zeros((2, 300), np.float32), np.zeros((0, 3))):
        assert plan.run(*[value] * len(plan.fields)) in (True, False, None)


@pytest.mark.parametrize(
    ("place", "new", "message"),
    [
        (1, (("moments", 5, 2, -1),), "before it is there"),
        (1, (("moments", 0, 2, 2),), "filled twice"),
        (1, (("moments", 0, 1, -1),), "filled twice"),
        (2, ((9, 0.0, 1.0, -1),), "before it is filled"),
        (3, ((("value", 0),), ()), "a value in a test"),
        (3, ((("+", 0, 0),), ()), "out of range"),
        (3, ((("jump", 0),), ()), "unknown operation"),
        (5, (256.0,), "missing"),
        (5, (250.0, ()), "no power of two"),
    ],
)
def test_an_unsound_description_says_what_is_wrong(place: int, new: Any, message: str) -> None:
    parts = [*VALID]
    parts[place] = new
    with pytest.raises(ValueError, match=message):
        native.Plan(*parts)
    with pytest.raises(TypeError, match="tuples"):
        native.Plan(*[[] if i == place else part for i, part in enumerate(VALID)])
