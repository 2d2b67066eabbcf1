"""CB-1208: functions that bindings call implemented are there."""

from __future__ import annotations

from typing import Any

import pytest

ENTRY = (
    "\n  - {contract: twice-v1, equation: twice, module_path: demo.kernels,"
    " function: %s, status: %s}"
)


def test_functions_that_are_there_pass(tree: Any) -> None:
    assert tree.check("CB-1208")[0] == "passed"


def test_missing_function_fails(tree: Any) -> None:
    tree.edit("binding.yaml", "function: twice", "function: thrice")
    status, said = tree.check("CB-1208")
    assert status == "failed"
    assert "demo.kernels:thrice is called implemented, but no source defines it" in said


def test_one_of_many_that_is_missing_warns(tree: Any) -> None:
    entries = "".join(ENTRY % ("twice", "implemented") for _ in range(3))
    text = (tree.folder / "binding.yaml").read_text().rstrip()
    tree.write("binding.yaml", text + entries + ENTRY % ("gone", "partial"))
    assert tree.check("CB-1208")[0] == "warned"


def test_pending_function_need_not_be_there(tree: Any) -> None:
    text = (tree.folder / "binding.yaml").read_text().rstrip()
    tree.write("binding.yaml", text + ENTRY % ("gone", "pending"))
    assert tree.check("CB-1208")[0] == "passed"


def test_project_without_bindings_is_skipped(tree: Any) -> None:
    tree.remove("binding.yaml")
    assert tree.check("CB-1208")[0] == "skipped"


def test_level_follows_from_hook_and_interface_tests(tree: Any) -> None:
    assert tree.check("CB-1208")[1].endswith("checked by hook for hatchling")
    tree.ran({"kind": "interface"})
    assert tree.check("CB-1208")[1].endswith("checked by hook for hatchling and interface tests")
    tree.write("pyproject.toml", "")
    assert tree.check("CB-1208")[1].endswith("checked by interface tests")
    tree.edit("src/demo/kernels.py", "2 * x", "3 * x")
    assert tree.check("CB-1208")[1].endswith("checked at run time only")


@pytest.mark.parametrize(
    "text",
    [
        "def twice(x): ...\n",
        "def twice(x):\n    raise NotImplementedError\n",
        "twice = None\n",
        "from demo.other import twice\n",
        "# def twice(x): return 2 * x\n",
        "def other():\n    def twice(x):\n        return 2 * x\n    return twice\n",
    ],
)
def test_name_without_a_body_does_not_count(tree: Any, text: str) -> None:
    tree.write("src/demo/kernels.py", text)
    assert tree.check("CB-1208")[0] == "failed"


def test_binding_of_an_equation_that_is_not_there_fails(tree: Any) -> None:
    tree.edit("binding.yaml", "equation: twice", "equation: thrice")
    assert tree.check("CB-1208")[0] == "failed"


def test_entry_that_cannot_be_read_warns(tree: Any) -> None:
    text = (tree.folder / "binding.yaml").read_text().rstrip()
    tree.write("binding.yaml", text + ENTRY % ("twice", "perhaps"))
    status, said = tree.check("CB-1208")
    assert status == "warned"
    assert "unknown status" in said
