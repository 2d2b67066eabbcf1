"""Predicates that say the same have one normal form; bounds are compared by their value."""

from __future__ import annotations

import pytest

from tracepact.drift.normal import bound_of, claims_of, renamed_claims


def keys(text: str) -> set[str]:
    return {claim.key for claim in claims_of(text)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ret <= 1", "1 >= ret"),
        ("ret <= 1", "ret<=1.0"),
        ("0 <= ret <= 1", "ret <= 1 and ret >= 0"),
        ("ret in [0, 1]", "0 <= ret <= 1"),
        ("all(isfinite(ret))", "isfinite(ret)"),
        ("a + b == c", "c == b + a"),
        ("abs(a - b) <= tol", "tol >= abs(b - a)"),
        ("a > 0 or b > 0", "0 < b or 0 < a"),
        ("max(a, b) <= c", "c >= max(b, a)"),
        ("shape(a) == shape(b)", "shape(b) == shape(a)"),
        ("not any(isnan(x))", "not isnan(x)"),
        ("ret  is\n nice", "ret is nice"),
    ],
)
def test_two_ways_to_write_a_claim_are_equal(one: str, other: str) -> None:
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ret <= 1", "ret < 1"),
        ("ret <= 1", "ret >= 1"),
        ("a - b <= 1", "b - a <= 1"),
        ("a / b <= 1", "b / a <= 1"),
        ("not a < b", "a >= b"),  # one of them may be NaN
        ("a + b + c <= 1", "a + (b + c) <= 1"),  # rounding
        ("all(a > 0 and b > 0)", "a > 0 and b > 0"),  # one of them may be empty
    ],
)
def test_claims_that_differ_stay_different(one: str, other: str) -> None:
    assert keys(one) != keys(other)


def test_renaming_a_field_renames_it_everywhere() -> None:
    assert {c.key for c in renamed_claims("a + b <= max(a, 1)", {"a": "z"})} == keys(
        "b + z <= max(1, z)"
    )


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("ret <= 1", "ret <= 2"),
        ("ret < 1", "ret <= 1"),
        ("ret >= 0", "-1 <= ret"),
        ("ret > 0", "ret >= 0"),
        ("abs(ret) <= 2 * tol", "abs(ret) <= 3 * tol"),
        ("ret <= 1", "ret <= 1 + tol"),
        ("ret <= sqrt(4)", "ret <= 2.5"),
    ],
)
def test_bounds_are_ordered_by_the_room_they_leave(narrow: str, wide: str) -> None:
    (first,), (second,) = claims_of(narrow), claims_of(wide)
    one, other = bound_of(first, 1e-3), bound_of(second, 1e-3)
    assert one is not None
    assert other is not None
    assert one.subject == other.subject
    assert one.room < other.room


@pytest.mark.parametrize("text", ["a <= b", "a == 1", "isfinite(a)", "a or b > 0"])
def test_claim_that_bounds_nothing_by_a_number_is_no_bound(text: str) -> None:
    (claim,) = claims_of(text)
    assert bound_of(claim, None) is None


def test_bound_over_an_unknown_tolerance_is_no_bound() -> None:
    (claim,) = claims_of("ret <= 1 + tol")
    assert bound_of(claim, None) is None
