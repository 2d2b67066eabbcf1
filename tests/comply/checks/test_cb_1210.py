"""CB-1210: preconditions differ, and equations have more than placeholders."""

from __future__ import annotations

from typing import Any


def contract(preconditions: list[str]) -> str:
    lines = [
        f"  e{n}: {{formula: y, preconditions: ['{text}']}}" for n, text in enumerate(preconditions)
    ]
    return "\n".join(["metadata: {version: 1.0.0}", "equations:", *lines])


def test_preconditions_that_differ_pass(tree: Any) -> None:
    tree.write("contracts/more-v1.yaml", contract([f"max(x) < {n}" for n in range(9)]))
    assert tree.check("CB-1210") == (
        "passed",
        "10 of 10 preconditions differ, 0 of 10 equations placeholder-only",
    )


def test_one_precondition_for_most_equations_fails(tree: Any) -> None:
    tree.write("contracts/more-v1.yaml", contract(["max(x) < 3"] * 9))
    status, said = tree.check("CB-1210")
    assert status == "failed"
    assert "20 % of the preconditions differ, 30 % asked for" in said


def test_equations_with_nothing_but_placeholders_fail_and_are_named(tree: Any) -> None:
    texts = ["len(x) > 0", *(f"max(x) < {n}" for n in range(9))]
    tree.write("contracts/more-v1.yaml", contract(texts))
    status, said = tree.check("CB-1210")
    assert status == "failed"
    assert "e0 has only placeholders, as 9 % of the equations have" in said
    tree.set(max_placeholder_only_percent=10)
    assert tree.check("CB-1210")[0] == "passed"


def test_contracts_without_preconditions_are_skipped(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", '    preconditions: ["all(isfinite(x))"]\n', "")
    assert tree.check("CB-1210")[0] == "skipped"


def test_renamed_placeholders_and_other_spaces_count_as_one(tree: Any) -> None:
    tree.set(max_placeholder_only_percent=100)
    texts = [*(f"len(x{n}) > 0" for n in range(5)), "max(x)<3", "max(x) < 3", "max( x ) < 3"]
    tree.write("contracts/more-v1.yaml", contract(texts))
    assert tree.check("CB-1210")[1].startswith("3 of 9 preconditions differ")


def test_equation_with_a_real_condition_beside_a_placeholder_is_not_hollow(tree: Any) -> None:
    text = "len(x) > 0', 'max(x) < 3"
    tree.write("contracts/more-v1.yaml", contract([text]))
    assert tree.check("CB-1210")[0] == "passed"


def test_exactly_the_least_diversity_is_enough(tree: Any) -> None:
    tree.set(max_placeholder_only_percent=100)
    tree.write("contracts/more-v1.yaml", contract([*["max(x) < 3"] * 8, "max(x) < 4"]))
    assert tree.check("CB-1210")[0] == "passed"
