"""CB-1202: half of the functions with critical names are named by a contract."""

from __future__ import annotations

from typing import Any

CRITICAL = """
from tracepact import contract

@contract("twice-v1", "twice")
def softmax(x):
    return 2 * x

def training_loss(x):
    return x + 1
"""


def test_half_of_them_under_a_contract_passes(tree: Any) -> None:
    tree.write("src/demo/model.py", CRITICAL)
    assert tree.check("CB-1202") == ("passed", "1 of 2 critical functions named by a contract")


def test_binding_counts_as_a_decorator_does(tree: Any) -> None:
    tree.write("src/demo/model.py", "def softmax(x):\n    return 2 * x\n")
    assert tree.check("CB-1202")[0] == "failed"
    tree.edit("binding.yaml", "demo.kernels, function: twice", "demo.model, function: softmax")
    assert tree.check("CB-1202")[0] == "passed"


def test_less_than_half_fails_and_names_them(tree: Any) -> None:
    tree.write("src/demo/model.py", CRITICAL + "\ndef quantize(x):\n    return x + 2\n")
    status, said = tree.check("CB-1202")
    assert status == "failed"
    assert "no contract names quantize(x)" in said


def test_threshold_is_a_setting(tree: Any) -> None:
    tree.write("src/demo/model.py", CRITICAL)
    tree.set(min_named_percent=51)
    assert tree.check("CB-1202")[0] == "failed"


def test_project_without_such_functions_is_skipped(tree: Any) -> None:
    assert tree.check("CB-1202")[0] == "skipped"


def test_private_functions_stubs_properties_tests_and_parts_of_words_do_not_count(
    tree: Any,
) -> None:
    tree.write("src/demo/test_model.py", "def batch():\n    return f()\n")
    tree.write(
        "src/demo/model.py",
        "def _softmax(x):\n    return x + 1\n"
        "class _Hidden:\n    def softmax(self, x):\n        return x + 1\n"
        "def forward(x): ...\n"
        "def kernelize(x):\n    return x + 1\n"
        "class A:\n    @property\n    def batch(self):\n        return f(self)\n",
    )
    assert tree.check("CB-1202")[0] == "skipped"


def test_contracts_and_equations_that_are_not_there_do_not_count(tree: Any) -> None:
    tree.write("src/demo/model.py", CRITICAL.replace('"twice")', '"thrice")'))
    assert tree.check("CB-1202")[0] == "failed"
    tree.write("src/demo/model.py", CRITICAL.replace('"twice-v1"', '"made-up-v1"'))
    assert tree.check("CB-1202")[0] == "failed"


def test_what_is_left_out_by_setting_is_said(tree: Any) -> None:
    tree.write("src/demo/model.py", CRITICAL + "\ndef quantize(x):\n    return x + 2\n")
    tree.set(not_critical=["quant*"])
    status, said = tree.check("CB-1202")
    assert status == "passed"
    assert said.endswith("1 left out by `not-critical`")
