"""CB-1201: cited tests are there, do something, and did not fail."""

from __future__ import annotations

from typing import Any

import pytest


def test_cited_test_that_is_there_passes(tree: Any) -> None:
    assert tree.check("CB-1201") == ("passed", "1 falsification test, 0 passed when last run")


def test_missing_test_fails(tree: Any) -> None:
    tree.write("tests/test_kernels.py", "def test_other():\n    assert twice(1) == 2\n")
    status, said = tree.check("CB-1201")
    assert status == "failed"
    assert "test F-1 cites tests/test_kernels.py::test_finite, which is not there" in said


def test_test_that_failed_when_it_ran_last_fails(tree: Any) -> None:
    tree.ran({"kind": "falsification", "obligation": "F-1", "outcome": "failed"})
    status, said = tree.check("CB-1201")
    assert status == "failed"
    assert "test F-1 failed when it ran last; it overflows" in said


def test_test_that_passed_is_counted(tree: Any) -> None:
    tree.ran({"kind": "falsification", "obligation": "F-1"})
    assert tree.check("CB-1201") == ("passed", "1 falsification test, 1 passed when last run")


def test_error_of_lint_warns_and_fails_by_setting(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "    formula: y = 2 x\n", "")
    assert tree.check("CB-1201")[0] == "warned"
    tree.set(lint_fails="true")
    assert tree.check("CB-1201")[0] == "failed"


def test_contracts_without_tests_are_skipped(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    start, end = text.index("falsification_tests"), text.index("kani_harnesses")
    tree.write("contracts/twice-v1.yaml", text[:start] + text[end:])
    assert tree.check("CB-1201")[0] == "skipped"


@pytest.mark.parametrize(
    "text",
    [
        "def test_finite():\n    pass\n",
        "def test_finite():\n    assert True\n",
        '"""\ndef test_finite():\n    assert twice(1) == 2\n"""\n',
        "# def test_finite(): assert twice(1) == 2\n",
    ],
)
def test_empty_quoted_or_commented_test_does_not_count(tree: Any, text: str) -> None:
    tree.write("tests/test_kernels.py", text)
    assert tree.check("CB-1201")[0] == "failed"


def test_contract_that_cites_no_test_fails(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "tests/test_kernels.py::test_finite", "looked at it")
    assert tree.check("CB-1201")[0] == "failed"
