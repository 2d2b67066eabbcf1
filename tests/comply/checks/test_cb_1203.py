"""CB-1203: what implements an equation is decorated with it."""

from __future__ import annotations

from typing import Any


def test_decorated_function_passes(tree: Any) -> None:
    assert tree.check("CB-1203") == ("passed", "1 function with an equation, 0 not under it")


def test_bound_function_without_decorator_fails(tree: Any) -> None:
    tree.edit("src/demo/kernels.py", '@contract("twice-v1", "twice")\n', "")
    status, said = tree.check("CB-1203")
    assert status == "failed"
    assert '@contract("twice-v1", "twice") above it' in said


def test_function_with_name_and_fields_of_an_equation_fails_without_binding(tree: Any) -> None:
    tree.remove("binding.yaml")
    tree.edit("src/demo/kernels.py", '@contract("twice-v1", "twice")\n', "")
    assert tree.check("CB-1203")[0] == "failed"


def test_decorator_that_names_no_equation_fails(tree: Any) -> None:
    tree.remove("binding.yaml")
    tree.edit("src/demo/kernels.py", '"twice")', '"twise")')
    status, said = tree.check("CB-1203")
    assert status == "failed"
    assert "has no equation 'twise'; did you mean 'twice'" in said


def test_source_that_cannot_be_read_warns(tree: Any) -> None:
    tree.write("src/demo/more.py", "def (:\n")
    status, said = tree.check("CB-1203")
    assert status == "warned"
    assert "not Python" in said


def test_project_without_implementations_is_skipped(tree: Any) -> None:
    tree.remove("binding.yaml", "src/demo/kernels.py")
    assert tree.check("CB-1203")[0] == "skipped"


def test_decorator_of_the_same_name_from_elsewhere_does_not_count(tree: Any) -> None:
    tree.edit("src/demo/kernels.py", "from tracepact import", "from demo.fake import")
    assert tree.check("CB-1203")[0] == "failed"


def test_functions_of_equations_without_conditions_need_no_decorator(tree: Any) -> None:
    tree.edit("src/demo/kernels.py", '@contract("twice-v1", "twice")\n', "")
    tree.edit("contracts/twice-v1.yaml", '    preconditions: ["all(isfinite(x))"]\n', "")
    assert tree.check("CB-1203")[0] == "failed"
    tree.edit("contracts/twice-v1.yaml", '    postconditions: ["all(isfinite(ret))"]\n', "")
    assert tree.check("CB-1203")[0] == "skipped"


def test_binding_of_a_contract_that_is_not_there_is_left_to_another_check(tree: Any) -> None:
    tree.edit("src/demo/kernels.py", '@contract("twice-v1", "twice")\n', "")
    tree.edit("binding.yaml", "contract: twice-v1", "contract: made-up-v1")
    tree.edit("src/demo/kernels.py", "def twice(x)", "def twice(y)")
    assert tree.check("CB-1203")[0] == "skipped"
