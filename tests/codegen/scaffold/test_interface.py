"""One method an equation, with the fields of its predicates as parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tracepact.codegen.scaffold import Interface, derive_interface
from tracepact.codegen.scaffold.protocol import render_protocol
from tracepact.contracts import ContractRegistry, parse_contract
from tracepact.errors import ConfigError


def test_method_has_the_fields_as_parameters_and_the_result_as_such(interface: Interface) -> None:
    scale, bytes_moved = interface.methods
    assert [(p.name, p.type, p.shape) for p in scale.parameters] == [
        ("factor", "Value", ""),
        ("x", "Array", "[..., n]"),
    ]
    assert scale.result_type == "Array"
    assert [p.name for p in bytes_moved.parameters] == ["elements", "itemsize_bytes"]
    assert bytes_moved.bind == {"bytes_moved": "ret"}


def test_names_follow_the_stem(interface: Interface) -> None:
    assert interface.name == "ScaleV1"
    assert interface.module == "scale_v1"


def test_name_that_python_does_not_allow_is_bound(derive: Callable[[str], Interface]) -> None:
    text = "equations: {e: {formula: f, postconditions: ['ret > self + class + __x + x']}}"
    (method,) = derive(text).methods
    assert [p.name for p in method.parameters] == ["self_", "class_", "x_", "x"]
    assert method.bind == {"self": "self_", "class": "class_", "__x": "x_"}


def test_equations_that_share_an_identifier_stay_two(derive: Callable[[str], Interface]) -> None:
    names = [m.name for m in derive("equations: {a-b: f, a.b: f, Any: f, __init__: f}").methods]
    assert names == ["a_b", "a_b_", "Any_", "init"]


def test_module_shadows_no_standard_one() -> None:
    contract, _ = parse_contract(b"equations: {e: f}", "typing.yaml")
    assert contract is not None
    assert derive_interface(ContractRegistry([contract]), "typing").module == "typing_"


def test_equation_without_fields_says_nothing_about_a_signature(
    derive: Callable[[str], Interface],
) -> None:
    formula, result_only = derive(
        "equations: {a: y = x, b: {formula: f, postconditions: ['isfinite(ret)']}}"
    ).methods
    assert formula.parameters == result_only.parameters == ()
    assert (formula.result, result_only.result) == (None, "ret")


def test_unknown_contract_is_met_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'softmax-kernel-v1'"):
        derive_interface(ContractRegistry.builtin(), "softmax-kernal-v1")


def test_clause_that_cannot_be_understood_is_named_and_never_silently_left_out(
    derive: Callable[[str], Interface],
) -> None:
    interface = derive("equations: {e: {formula: f, postconditions: ['sun(ret) <= 1', 'x > 0']}}")
    (problem,) = interface.problems
    assert "unknown function 'sun'" in str(problem)
    assert "other-v1.yaml:1:" in str(problem)
    assert interface.methods[0].not_understood == ["sun(ret) <= 1"]
    said = "Not understood, and not checked:\n            sun(ret) <= 1"
    assert said in render_protocol(interface)


def test_contract_without_equations_is_refused(derive: Callable[[str], Interface]) -> None:
    with pytest.raises(ConfigError, match="has no equation"):
        derive("metadata: {kind: pattern}")
