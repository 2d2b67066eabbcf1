"""CB-1200: errors of lint fail, low scores and missing functions warn."""

from __future__ import annotations

from typing import Any


def test_sound_contracts_pass(tree: Any) -> None:
    tree.set(min_score=0.3)
    assert tree.check("CB-1200")[0] == "passed"


def test_low_mean_score_warns_and_names_where_to_begin(tree: Any) -> None:
    tree.set(min_score=1.0)
    status, said = tree.check("CB-1200")
    assert status == "warned"
    assert "below 1; begin with twice-v1" in said


def test_function_that_is_not_implemented_warns(tree: Any) -> None:
    tree.set(min_score=0.3)
    tree.edit("binding.yaml", "status: implemented", "status: not_implemented")
    status, said = tree.check("CB-1200")
    assert status == "warned"
    assert "demo.kernels:twice is not implemented" in said


def test_error_of_lint_fails(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", "    formula: y = 2 x\n", "")
    status, said = tree.check("CB-1200")
    assert status == "failed"
    assert "1 contract, 1 lint error," in said
    assert "PV-VAL-004" in said


def test_project_without_contracts_is_skipped(tree: Any) -> None:
    tree.remove("contracts/twice-v1.yaml")
    assert tree.check("CB-1200")[0] == "skipped"


def test_contracts_are_found_three_folders_deep_or_where_the_setting_says(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    tree.remove("contracts/twice-v1.yaml")
    tree.write("a/b/c/contracts/deep-v1.yaml", text)
    assert tree.check("CB-1200")[0] == "skipped"
    tree.write("a/b/contracts/near-v1.yaml", text)
    assert tree.check("CB-1200")[1].startswith("1 contract,")
    tree.set(contracts=["a/b/c"])
    assert tree.check("CB-1200")[1].startswith("1 contract,")


def test_lint_settings_cannot_hide_a_contract_that_does_not_load(tree: Any) -> None:
    tree.write("contracts/broken-v1.yaml", "equations: {a: [")
    status, said = tree.check("CB-1200")
    assert status == "failed"
    assert "PV-VAL-001" in said
