"""Tests of an implementation that is still to be written: they fail until somebody does."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from tracepact.codegen.layout import call
from tracepact.codegen.quoting import Names, identifier, quoted
from tracepact.codegen.scaffold.interface import Interface, Method
from tracepact.codegen.scaffold.protocol import formula_of
from tracepact.codegen.scaffold.text import docstring, imported, signature, titled, with_text
from tracepact.contracts import FalsificationTest

_TEST_NAME = re.compile(r"test_[A-Za-z0-9_]{1,100}\Z")


def render_tests(interface: Interface, package: str = "", folder: str | None = None) -> str:
    """Source of a test module: one test an equation, one a falsification test.

    Args:
        interface: From `derive_interface`.
        package: Package of the implementation; empty for none.
        folder: Folder of contracts that `TRACEPACT_CONTRACTS` has to name when the tests run; None
            where the contract ships with tracepact.
    """
    contract = interface.contract
    names = Names([])
    about = (
        "Begun by `tracepact scaffold`; yours from here on. Each test fails until it is written."
    )
    registry = "tp.ContractRegistry.builtin()"
    if folder is not None:
        about += f"\nRun them with TRACEPACT_CONTRACTS={folder}"
        registry = 'tp.ContractRegistry.load(os.environ["TRACEPACT_CONTRACTS"])'
    module = f"{package}.{interface.module}" if package else interface.module
    parts = [
        docstring(f"Tests of {titled(contract)}.", [("", [about])], 0),
        "",
        "from __future__ import annotations",
        "",
        *(["import os"] if folder is not None else []),
        "from typing import Any",
        "",
        "import pytest",
        "import tracepact as tp",
        "",
        imported(module, [interface.implementation]),
        "",
        *call("LAYER = tp.ContractTracingLayer", [registry, "[]", 'tp.Policy(mode="raise")']),
        "",
        "",
        "@pytest.fixture",
        f"def implementation() -> {interface.implementation}:",
        f"    return {interface.implementation}()",
        "",
        "",
        "def choose(field: str, domain: str) -> Any:",
        '    """A value of a field; write one in the place of each call."""',
        '    pytest.fail(f"choose a value for {field}; domain: {domain}")',
    ]
    for method in interface.methods:
        parts += ["", "", *_equation_test(interface, method, names)]
    for number, test in enumerate(contract.falsification_tests):
        parts += ["", "", *_falsification_test(test, names, number)]
    return "\n".join(parts) + "\n"


def _equation_test(interface: Interface, method: Method, names: Names) -> Iterator[str]:
    stem, equation = interface.contract.stem, method.equation
    name = names.of(f"equation {equation.name}", f"test_{identifier(equation.name)}")
    yield signature(name, [f"implementation: {interface.implementation}"], "None", 0)
    yield docstring(formula_of(method), [], 4)
    if not method.conditions:
        what = f"{stem} has no condition on {equation.name}: assert {formula_of(method)}"
        yield with_text("pytest.fail", what, 4)
        return
    yield with_text("domain = ", equation.domain or "not stated", 4)
    values = [f"{quoted(p.field)}: choose({quoted(p.field)}, domain)," for p in method.parameters]
    yield "    fields: dict[str, Any] = {" + ("" if values else "}")
    yield from (f"        {value}" for value in values)
    yield from ["    }"] * bool(values)
    arguments = [f"{p.name}=fields[{quoted(p.field)}]" for p in method.parameters]
    arguments = arguments or ['choose("the arguments", domain)']
    place = [quoted(stem), quoted(equation.name), "preconditions=True"]
    yield from call("site = LAYER.site", place, indent=4)
    yield f"    with site(**fields){'' if method.result is None else ' as span'}:"
    assigned = "" if method.result is None else "result = "
    yield from call(f"{assigned}implementation.{method.name}", arguments, indent=8)
    if method.result is not None:
        is_keyword = keyword.iskeyword(method.result)
        field = (
            f"**{{{quoted(method.result)}: result}}" if is_keyword else f"{method.result}=result"
        )
        yield f"        span.record({field})"


def _falsification_test(test: FalsificationTest, names: Names, number: int) -> Iterator[str]:
    wanted = test.test if _TEST_NAME.match(test.test) else f"test_{identifier(test.id).lower()}"
    yield f"def {names.of(f'test {number}', wanted)}() -> None:"
    yield docstring(f"{test.id}: {test.prediction or test.rule}", [], 4)
    yield with_text("hint = ", f"{test.id}: {test.if_fails or 'the contract gives no hint'}", 4)
    yield '    pytest.fail(f"write this test as `assert ..., hint`\\n{hint}")'
