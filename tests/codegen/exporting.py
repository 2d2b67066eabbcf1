"""What tests of exported modules share: making them, running them, and what they say."""

from __future__ import annotations

import importlib.util
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tracepact.contracts import (
    Clause,
    Condition,
    Contract,
    ContractRegistry,
    Equation,
    Metadata,
    Obligation,
)
from tracepact.core import using_core
from tracepact.predicate import MeasureError
from tracepact.types import SourceLocation

Fields = Mapping[str, Any]
TARGETS = ("asserts", "deal", "icontract")
INSTALLED = [t for t in TARGETS if t == "asserts" or importlib.util.find_spec(t) is not None]
"""Targets whose library is there."""

HERE = SourceLocation("/a/demo-v1.yaml", 3, 5)
_VIOLATIONS = ("AssertionError", "ViolationError", "PreContractError", "PostContractError")


def registry_of(
    *post: str,
    pre: tuple[str, ...] = (),
    tolerance: float | None = 0.25,
    equation: str = "demo",
    stem: str = "demo-v1",
    claim: str = "",
    version: str = "1.0.0",
) -> ContractRegistry:
    """One contract with one equation; `claim` is the property of its obligations."""
    stated = Equation(
        name=equation,
        preconditions=tuple(Clause(text, HERE) for text in pre),
        postconditions=tuple(Clause(text, HERE) for text in post),
        tolerance=tolerance,
        location=HERE,
    )
    obligations = [
        Obligation(type="bound", property=claim, formal=text, location=HERE) for text in post
    ]
    contract = Contract(
        stem=stem,
        path=Path(HERE.file),
        metadata=Metadata(version=version),
        equations={equation: stated},
        obligations=tuple(obligations) if claim else (),
        falsification_tests=(),
        harnesses=(),
        sections={},
    )
    return ContractRegistry([contract])


def load(source: str) -> dict[str, Any]:
    """Run an exported module; its namespace."""
    module = types.ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), module.__dict__)
    return module.__dict__


def conditions_of(
    registry: ContractRegistry, stem: str, equation: str, target: str
) -> list[Condition]:
    """What an exported module checks, in its order: what looks at the result comes last."""
    found = [*(registry.preconditions(stem, equation) or ())]
    found += registry.postconditions(stem, equation) or ()
    found.sort(key=_at_exit)
    return [c for c in found if target != "deal" or "old(" not in c.expression]


def _at_exit(condition: Condition) -> bool:
    names = condition.predicate.fields
    looks_back = any(name.startswith("old(") for name in names)
    return condition.kind == "postcondition" or looks_back or "ret" in names


def before(fields: Fields) -> dict[str, Any]:
    """The fields as they were when the function was called."""
    old = {n.removeprefix("old(").rstrip(")"): v for n, v in fields.items() if "(" in n}
    return {**fields, **old}


def own_verdict(conditions: list[Condition], fields: Fields) -> str:
    """The first condition that tracepact finds broken, `error` if it cannot tell, or nothing."""
    with using_core("python"):
        for condition in conditions:
            given = fields if _at_exit(condition) else before(fields)
            try:
                if not condition.predicate.check(tol=condition.tolerance, **given):
                    return condition.expression
            except MeasureError:
                return "error"
    return ""


def exported_verdict(
    module: dict[str, Any], equation: str, fields: Fields, conditions: list[Condition]
) -> str:
    """The same, said by an exported module."""
    try:
        if f"enforce_{equation}" in module:
            _call_decorated(module[f"enforce_{equation}"], fields)
        else:
            _call_checks(module, equation, fields)
    except Exception as error:
        if type(error).__name__ not in _VIOLATIONS:
            return "error"
        told = [c.expression for c in conditions if f"{c.expression} [" in str(error)]
        return max(told, key=len)
    return ""


def _call_checks(module: dict[str, Any], equation: str, fields: Fields) -> None:
    for word, values in (("requires", before(fields)), ("ensures", fields)):
        check = module.get(f"check_{equation}_{word}")
        if check is not None:
            given = {name.replace("(", "_").rstrip(")"): v for name, v in values.items()}
            assert check(**{name: given[name] for name in _parameters(check)}) is True


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_kwonlyargcount]


def _call_decorated(decorate: Callable[..., Any], fields: Fields) -> None:
    changed = {name: value for name, value in fields.items() if f"old({name})" in fields}
    given = {name: value for name, value in before(fields).items() if name.isidentifier()}
    # Only what can change in place can be another than it was.
    given |= {name: np.array(given[name]) for name in changed}
    ret = given.pop("ret", None)

    def compute(**now: Any) -> Any:
        for name, value in changed.items():
            now[name][...] = value
        return ret

    namespace = {"compute": compute}
    handed_on = ", ".join(f"{name}={name}" for name in given)
    exec(f"def function({', '.join(given)}): return compute({handed_on})", namespace)
    decorate(namespace["function"])(**given)
