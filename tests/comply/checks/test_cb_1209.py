"""CB-1209: kernels have functions whose interface test ran and passed."""

from __future__ import annotations

from typing import Any

EQUATIONS = [
    ("softmax-kernel-v1", "softmax"),
    ("rmsnorm-kernel-v1", "rmsnorm"),
    ("rope-kernel-v1", "rope"),
    ("attention-kernel-v1", "scores"),
    ("matmul-kernel-v1", "matmul"),
    ("flash-attention-v1", "output"),
    ("gqa-kernel-v1", "grouping"),
    ("layernorm-kernel-v1", "layernorm"),
    ("activation-kernel-v1", "silu"),
    ("activation-kernel-v1", "swiglu"),
]


def result_of(stem: str, equation: str, **more: str) -> dict[str, Any]:
    return {
        "kind": "interface",
        "contract": stem,
        "equation": equation,
        "function": f"demo:{stem}_{equation}",
        **more,
    }


def real(number: int) -> list[dict[str, Any]]:
    """Passed tests of so many kernels, each of an equation that the shipped contract has."""
    return [result_of(stem, equation) for stem, equation in EQUATIONS[:number]]


def test_ten_kernels_pass(tree: Any) -> None:
    tree.ran(*real(10))
    assert tree.check("CB-1209") == ("passed", "10 of 13 kernels, 10 interface tests passed")


def test_five_kernels_warn_and_name_the_missing(tree: Any) -> None:
    tree.ran(*real(5))
    status, said = tree.check("CB-1209")
    assert status == "warned"
    assert "bind and test flash-attention, gqa, layernorm" in said


def test_four_kernels_fail(tree: Any) -> None:
    tree.ran(*real(4))
    assert tree.check("CB-1209")[0] == "failed"


def test_thresholds_are_settings(tree: Any) -> None:
    tree.ran(*real(1))
    tree.set(min_kernels=1, min_kernels_warned=1)
    assert tree.check("CB-1209")[0] == "passed"


def test_failed_interface_test_fails_whatever_else_passed(tree: Any) -> None:
    failed = {"kind": "interface", "outcome": "failed", "detail": "has x, the function has y\nmore"}
    tree.ran(*real(10), failed)
    status, said = tree.check("CB-1209")
    assert status == "failed"
    assert "the interface test of demo.kernels:twice failed: has x, the function has y;" in said


def test_no_interface_test_is_skipped_and_says_what_to_run(tree: Any) -> None:
    status, said = tree.check("CB-1209")
    assert status == "skipped"
    assert "pytest --tracepact" in said


def test_tests_from_before_a_change_are_skipped(tree: Any) -> None:
    tree.ran(*real(10))
    tree.edit("src/demo/kernels.py", "2 * x", "3 * x")
    assert tree.check("CB-1209")[0] == "skipped"


def test_one_function_for_all_kernels_counts_once(tree: Any) -> None:
    tree.ran(*({**each, "function": "demo:f"} for each in real(10)))
    status, said = tree.check("CB-1209")
    assert status == "failed"
    assert said.startswith("1 of 13")


def test_equations_that_no_contract_has_do_not_count(tree: Any) -> None:
    tree.ran(*(result_of("twice-v1", equation) for _, equation in EQUATIONS))
    assert tree.check("CB-1209")[1].startswith("0 of 13")


def test_skipped_tests_do_not_count(tree: Any) -> None:
    tree.ran(*({**each, "outcome": "skipped"} for each in real(10)))
    assert tree.check("CB-1209")[1].startswith("0 of 13")
