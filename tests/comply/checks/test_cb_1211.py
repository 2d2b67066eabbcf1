"""CB-1211: at most half of the predicates are placeholders."""

from __future__ import annotations

from typing import Any

HOLLOW = "metadata: {version: 1.0.0}\nequations:\n" + "".join(
    f"  e{n}: {{formula: y, preconditions: ['len(x{n}) > 0']}}\n" for n in range(3)
)


def test_predicates_that_check_something_pass(tree: Any) -> None:
    assert tree.check("CB-1211") == ("passed", "0 of 2 predicates are placeholders")


def test_more_than_half_fails_and_each_is_named(tree: Any) -> None:
    tree.write("contracts/hollow-v1.yaml", HOLLOW)
    status, said = tree.check("CB-1211")
    assert status == "failed"
    assert said.count("only asks whether something is there") == 3


def test_half_is_allowed_and_the_share_is_a_setting(tree: Any) -> None:
    tree.write("contracts/hollow-v1.yaml", HOLLOW)
    tree.set(max_placeholders_percent=60)
    assert tree.check("CB-1211")[0] == "passed"


def test_contracts_without_predicates_are_skipped(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", '    preconditions: ["all(isfinite(x))"]\n', "")
    tree.edit("contracts/twice-v1.yaml", '    postconditions: ["all(isfinite(ret))"]\n', "")
    assert tree.check("CB-1211")[0] == "skipped"


def test_placeholder_in_other_words_counts_too(tree: Any) -> None:
    tree.write("contracts/hollow-v1.yaml", HOLLOW.replace("len(x1) > 0", "0 < len(x1)"))
    assert tree.check("CB-1211")[0] == "failed"
