"""CB-1205: as many tests as obligations, and a harness."""

from __future__ import annotations

from typing import Any

SECOND = "  - {type: bound, property: stays small, formal: 2 x < 9}\nfalsification_tests:"


def test_test_and_harness_for_each_obligation_pass(tree: Any) -> None:
    assert tree.check("CB-1205")[0] == "passed"


def test_fewer_tests_than_obligations_warn(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "falsification_tests:", SECOND)
    status, said = tree.check("CB-1205")
    assert status == "warned"
    assert "1 of 2 obligations have a test that is there" in said


def test_contract_without_harness_warns(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    tree.write("contracts/twice-v1.yaml", text[: text.index("kani_harnesses")])
    status, said = tree.check("CB-1205")
    assert status == "warned"
    assert "no harness for any obligation" in said


def test_contract_without_obligations_is_skipped(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    tree.write("contracts/twice-v1.yaml", text[: text.index("proof_obligations")])
    assert tree.check("CB-1205")[0] == "skipped"


def test_same_test_cited_for_two_obligations_by_nobody_counts_once(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "falsification_tests:", SECOND)
    tree.edit(
        "contracts/twice-v1.yaml",
        "kani_harnesses:",
        "  - {id: F-2, rule: r, prediction: p, test: tests/test_kernels.py::test_finite}\n"
        "  - {id: F-3, rule: s, prediction: p, test: tests/test_kernels.py::test_finite}\n"
        "kani_harnesses:",
    )
    assert tree.check("CB-1205")[0] == "passed"
    tree.edit("contracts/twice-v1.yaml", "    rule: stays finite", "    rule: other")
    assert tree.check("CB-1205")[0] == "warned"


def test_harness_for_an_obligation_that_is_not_there_does_not_count(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "obligation: stays finite", "obligation: made up")
    assert tree.check("CB-1205")[0] == "warned"
