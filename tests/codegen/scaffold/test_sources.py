"""What is generated is Python that says what the contract says, whatever the contract says."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.codegen.scaffold import Interface, derive_interface
from tracepact.codegen.scaffold.failing_tests import render_tests
from tracepact.codegen.scaffold.protocol import is_same_code, render_protocol
from tracepact.codegen.scaffold.skeleton import render_skeleton
from tracepact.contracts import (
    Clause,
    Contract,
    ContractRegistry,
    Equation,
    FalsificationTest,
    Metadata,
)
from tracepact.errors import ConfigError
from tracepact.types import SourceLocation

PLACE = SourceLocation("demo-v1.yaml", 1, 1)


def sources(interface: Interface) -> tuple[str, str, str]:
    return render_protocol(interface), render_skeleton(interface), render_tests(interface)


def test_protocol_documents_everything_that_the_contract_says(interface: Interface) -> None:
    tree = ast.parse(render_protocol(interface))
    (protocol,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    text = ast.get_docstring(protocol.body[1])  # type: ignore[arg-type]
    assert text is not None
    for said in (
        "ret = x * factor",
        "x: [..., n]",
        "x [..., n] finite, factor > 0",
        "R^[..., n]",
        "Signs are kept",
        "factor > 0",
        "abs(ret - x * factor) <= tol",
        "1e-06",
    ):
        assert said in text


def test_parameters_are_keywords_in_order_of_appearance(interface: Interface) -> None:
    assert "def scale(self, *, factor: Value, x: Array) -> Array:" in render_protocol(interface)


def test_skeleton_is_decorated_and_raises_with_the_formula(interface: Interface) -> None:
    text = render_skeleton(interface)
    assert '@tp.contract("scale-v1", "scale")' in text
    assert 'raise NotImplementedError("scale-v1/scale: ret = x * factor")' in text
    assert 'bind={"bytes_moved": "ret"}' in text
    assert "_: ScaleV1 = ScaleV1Implementation()" in text


def test_imports_begin_with_the_package(interface: Interface) -> None:
    assert "from my.kernels.scale_v1_protocol import" in render_skeleton(interface, "my.kernels")
    assert "from my.kernels.scale_v1 import" in render_tests(interface, "my.kernels")


def test_arrays_can_be_of_another_library(interface: Interface) -> None:
    text = render_protocol(interface, array="torch:Tensor")
    assert "import torch\n" in text
    assert "Array: TypeAlias = torch.Tensor" in text


@pytest.mark.parametrize(
    "array", ["torch", "torch:", ":Tensor", "os;x:y", "a b:c", "if:x", "a:b[c]"]
)
def test_type_of_arrays_is_a_name_in_a_module(array: str, interface: Interface) -> None:
    with pytest.raises(ConfigError, match="MODULE:NAME"):
        render_protocol(interface, array=array)


def test_test_is_called_as_the_contract_says(derive: Callable[[str], Interface]) -> None:
    text = render_tests(
        derive(
            "equations: {e: f}\n"
            "falsification_tests: [{id: F-1, test: test_mine}, {id: F-2, test: a.py::test_b}]"
        )
    )
    assert "def test_mine()" in text
    assert "def test_f_2()" in text


def test_span_is_named_only_where_the_result_is_recorded(
    derive: Callable[[str], Interface],
) -> None:
    """Linters report a name that nobody uses."""
    text = render_tests(
        derive("equations:\n  a: {postconditions: ['ret > x']}\n  b: {postconditions: ['x > 0']}\n")
    )
    _, a, b = text.split("implementation: ")
    assert "as span:" in a
    assert "as span:" not in b
    ast.parse(text)


def test_equation_without_conditions_is_no_silent_pass(derive: Callable[[str], Interface]) -> None:
    assert "pytest.fail(" in render_tests(derive("equations: {e: y = x}")).split("def test_e")[1]


def test_formatting_and_comments_are_not_code(interface: Interface) -> None:
    text = render_protocol(interface)
    formatted = text.replace(
        "(self, *, factor: Value, x: Array)", "(\n  self, *, factor: Value, x: Array,)"
    )
    assert formatted != text
    assert is_same_code(text, formatted + "# end\n")
    assert not is_same_code(text, text.replace("factor: Value", "factor: Array"))
    assert not is_same_code(text, text.replace("Signs are kept", "Signs change"))
    assert not is_same_code(text, "def (")


def contract(text: str, name: str = "e", stem: str = "demo-v1") -> Contract:
    clause = Clause("abs(ret - x) <= 1", PLACE)
    equation = Equation(
        name=name,
        description=text,
        formula=text,
        domain=text,
        codomain=text,
        invariants=(text,),
        postconditions=(clause,),
        location=PLACE,
    )
    test = FalsificationTest(id="F-1", prediction=text, test=text, if_fails=text, location=PLACE)
    return Contract(
        stem=stem,
        path=PLACE.file,  # type: ignore[arg-type]
        metadata=Metadata(version=text, description=text),
        equations={name: equation},
        obligations=(),
        falsification_tests=(test,),
        harnesses=(),
        sections={},
    )


class _Silent(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> Any:
        return ast.Constant("") if isinstance(node.value, str) else node


def structure(text: str) -> str:
    return ast.dump(_Silent().visit(ast.parse(text)))


_PIECES = [
    "'",
    '"',
    '"""',
    "'''",
    "\\",
    "\n",
    "\r",
    "#",
    "{",
    "}",
    "\x00",
    "\u2028",
    "\u202e",
    "a ",
]
HOSTILE = st.lists(
    st.sampled_from(_PIECES) | st.characters(exclude_categories=["Cs"]), max_size=100
).map(lambda pieces: "- " + "".join(pieces))  # no shape, no assignment, not empty


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\x0c", "\t\r\n"])
def test_blank_text_is_no_trouble(blank: str) -> None:
    for source in sources(derive_interface(ContractRegistry([contract(blank)]), "demo-v1")):
        ast.parse(source)


def test_tests_with_one_id_stay_two(derive: Callable[[str], Interface]) -> None:
    text = render_tests(derive("equations: {e: f}\nfalsification_tests: [{id: F-1}, {id: F-1}]"))
    assert text.count("def test_f_1()") == text.count("def test_f_1_()") == 1


@given(HOSTILE)
def test_text_of_a_contract_never_becomes_code(text: str) -> None:
    harmless = sources(derive_interface(ContractRegistry([contract("- a")]), "demo-v1"))
    hostile = sources(derive_interface(ContractRegistry([contract(text)]), "demo-v1"))
    if "[" not in text and "^" not in text:
        assert list(map(structure, hostile)) == list(map(structure, harmless))
    else:
        for source in hostile:
            ast.parse(source)


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_names_of_a_contract_never_become_code(name: str, stem: str) -> None:
    interface = derive_interface(ContractRegistry([contract("f", name, stem)]), stem)
    for source in sources(interface):
        ast.parse(source)
    skeleton = ast.walk(ast.parse(render_skeleton(interface)))
    assert {name, stem} <= {node.value for node in skeleton if isinstance(node, ast.Constant)}
