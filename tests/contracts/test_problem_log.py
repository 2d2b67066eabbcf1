"""Claims about collecting problems."""

from __future__ import annotations

from tracepact.contracts.problem_log import (
    MAX_PROBLEMS,
    ProblemLog,
    Spot,
    did_you_mean,
    quoted,
    shortened,
)
from tracepact.types import SourceLocation


def test_same_problem_is_kept_once() -> None:
    log = ProblemLog("a.yaml")
    log.add(Spot(2, 3), "wrong", "repair")
    log.add(Spot(2, 3), "wrong", "repair")
    assert len(log.problems) == 1
    assert log.problems[0].location == SourceLocation("a.yaml", 2, 3)


def test_problem_of_no_place_is_at_the_start_of_the_file() -> None:
    log = ProblemLog("a.yaml")
    log.add(None, "empty")
    assert log.problems[0].location == SourceLocation("a.yaml", 1, 1)


def test_too_many_problems_end_with_a_note() -> None:
    log = ProblemLog("a.yaml")
    for line in range(2 * MAX_PROBLEMS):
        log.add(Spot(line, 1), "wrong")
    assert log.full
    assert len(log.problems) == MAX_PROBLEMS
    assert "the rest is not listed" in log.problems[-1].message


def test_spot_counts_lines_and_columns_from_one() -> None:
    assert Spot.at("ab\ncd", 0) == Spot(1, 1)
    assert Spot.at("ab\ncd", 4) == Spot(2, 2)


def test_long_texts_are_cut() -> None:
    assert len(quoted("x" * 10_000)) < 80


def test_quoted_texts_and_names_stay_on_one_line() -> None:
    assert quoted("a\nb\u2028c") == "'a\\nb\\u2028c'"
    assert shortened("a\nb") == "a\\nb"


def test_hint_names_the_nearest_and_all_known() -> None:
    hint = did_you_mean("softmx", ["softmax", "relu"])
    assert hint == "did you mean 'softmax'? known: relu, softmax"


def test_hint_without_anything_near_still_lists_the_known() -> None:
    assert did_you_mean("zzz", ["softmax"]) == "known: softmax"
    assert did_you_mean("zzz", []) == "known: none"


def test_hint_with_many_hostile_names_stays_short() -> None:
    hint = did_you_mean("x" * 1_000_000, [f"{i}" + "y" * 10_000 for i in range(1_000)])
    assert len(hint) < 5_000
    assert hint.endswith("…")
