"""Claims about the frozen values of a contract."""

from __future__ import annotations

import dataclasses

import pytest

from tracepact.contracts import Obligation, Problem
from tracepact.types import SourceLocation

HERE = SourceLocation("a.yaml", 14, 9)


def obligation(*applies_to: str) -> Obligation:
    return Obligation(type="invariant", property="p", applies_to=applies_to, location=HERE)


def test_problem_says_where_what_and_what_next() -> None:
    assert str(Problem(HERE, "no number", "write 1e-6")) == "a.yaml:14:9: no number; write 1e-6"


def test_problem_without_hint_ends_after_what() -> None:
    assert str(Problem(HERE, "no number")) == "a.yaml:14:9: no number"


@pytest.mark.parametrize("applies_to", [(), ("all",), ("softmax",), ("simd", "softmax")])
def test_obligation_covers_by_silence_by_all_or_by_name(applies_to: tuple[str, ...]) -> None:
    assert obligation(*applies_to).covers("softmax")


def test_obligation_of_another_equation_does_not_cover() -> None:
    assert not obligation("log_softmax").covers("softmax")


def test_values_are_frozen_and_hashable() -> None:
    value = obligation("all")
    assert hash(value) == hash(obligation("all"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.property = "other"  # type: ignore[misc]
