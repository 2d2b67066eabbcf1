"""Claims about turning nodes into typed values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tracepact.contracts.fields import Fields, as_data, records
from tracepact.contracts.problem_log import ProblemLog
from tracepact.contracts.yaml_tree import MapNode, Node, parse_tree


def tree(text: str) -> Node:
    root = parse_tree(text, ProblemLog("t.yaml"))
    assert root is not None
    return root


def fields(text: str) -> Fields:
    root = tree(text)
    assert isinstance(root, MapNode)
    return Fields(root, "section", ProblemLog("t.yaml"))


def messages(of: Fields) -> list[str]:
    return [str(problem) for problem in of.log.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("1.0e-5", 1e-5),
        ("1E-5", 1e-5),
        ("'1e-5'", 1e-5),
        (".5", 0.5),
        ("8", 8.0),
        ("0", 0.0),
        ("1_000", 1000.0),
    ],
)
def test_tolerance_is_a_number_however_it_is_written(written: str, value: float) -> None:
    read = fields(f"tolerance: {written}")
    assert read.tolerance("tolerance") == value
    assert messages(read) == []


@pytest.mark.parametrize(
    "written", ["-1", "inf", "nan", ".inf", "true", "tight", "8 ULP", "[1]", "{a: 1}", "9" * 50]
)
def test_unusable_tolerance_is_a_problem_with_place_and_path(written: str) -> None:
    read = fields(f"tolerance: {written}")
    assert read.tolerance("tolerance") is None
    assert len(messages(read)) == 1
    assert messages(read)[0].startswith("t.yaml:1:12: section.tolerance: expected a finite number")


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_missing_tolerance_is_none_without_a_problem(written: str) -> None:
    read = fields(f"tolerance: {written}")
    assert read.tolerance("tolerance") is None
    assert messages(read) == []


@pytest.mark.parametrize(("written", "value"), [("8", 8), ("'8'", 8), ("-2", -2)])
def test_integer(written: str, value: int) -> None:
    assert fields(f"bound: {written}").integer("bound") == value


@pytest.mark.parametrize("written", ["8.5", "many", "[8]", "9" * 5_000])
def test_unusable_integer_is_a_problem(written: str) -> None:
    read = fields(f"bound: {written}")
    assert read.integer("bound") is None
    assert "section.bound: expected a whole number" in messages(read)[0]


@pytest.mark.parametrize("written", ["1.0", "2026-02-18", "yes", "1e-5", "'1e-5'"])
def test_text_is_what_is_written(written: str) -> None:
    assert fields(f"version: {written}").text("version") == written.strip("'")


def test_unquoted_colon_still_gives_the_sentence() -> None:
    read = fields("references:\n  - Ainslie (2023) GQA: Training Multi-Query\n  - plain\n")
    assert read.texts("references") == ("Ainslie (2023) GQA: Training Multi-Query", "plain")
    assert messages(read) == []


def test_map_in_place_of_a_list_gives_its_entries() -> None:
    read = fields("invariants:\n  sum: rows sum to 1\n  finite:\n  deep: {a: b}\n")
    assert read.texts("invariants") == ("sum: rows sum to 1", "finite", "a: b")
    assert messages(read) == []


def test_lone_text_in_place_of_a_list_is_a_list_of_one() -> None:
    assert fields("requires: P1").texts("requires") == ("P1",)


def test_wrong_type_in_a_list_drops_only_that_entry() -> None:
    read = fields("references: [a, [b], c, ~]")
    assert read.texts("references") == ("a", "c")
    assert messages(read) == [
        "t.yaml:1:17: section.references[1]: expected a text, found a list; correct or remove it"
    ]


def test_map_of_several_keys_is_no_text() -> None:
    read = fields("formula: {a: 1, b: 2}")
    assert read.text("formula") == ""
    assert "expected a text, found a map" in messages(read)[0]


def test_other_spelling_counts_when_the_documented_one_is_absent() -> None:
    assert fields("then: x").text("prediction", "then") == "x"
    assert fields("then: x\nprediction: y").text("prediction", "then") == "y"


def test_finish_reports_each_unknown_field_with_the_nearest_known() -> None:
    read = fields("formla: x\ndomain: y\n")
    read.text("formula")
    read.text("domain", "range")
    read.finish()
    assert messages(read) == [
        "t.yaml:1:1: section: unknown field 'formla'; did you mean 'formula'? "
        "known: domain, formula"
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("7", 7),
        ("-1.5", -1.5),
        ("true", True),
        ("False", False),
        (".inf", math.inf),
        ("yes", "yes"),
        ("2026-02-18", "2026-02-18"),
        ("1:30", "1:30"),
        ("'7'", "7"),
        ("~", None),
        ("1.0.0", "1.0.0"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("9" * 5_000, "9" * 5_000),
    ],
)
def test_plain_data(written: str, value: Any) -> None:
    assert as_data(tree(f"k: {written}")) == {"k": value}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("- {id: A}\n- {id: B}\n", ["[0]", "[1]"]),
        ("- A: {rule: r}\n", ["A[0]"]),
        ("A: {rule: r}\nB: {rule: r}\n", ["A.A", "B.B"]),
        ("id: A\nrule: r\n", [""]),
        ("- id: A\n", ["[0]"]),
        ("just a text", [""]),
        ("~", []),
        ("[]", []),
        ("{}", []),
    ],
)
def test_records_in_every_shape_of_the_wild(written: str, expected: list[str]) -> None:
    found = records(tree(written), "", frozenset({"id", "rule"}))
    assert [f"{record.name}{record.where}" for record in found] == expected
