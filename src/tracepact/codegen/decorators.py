"""What targets of decorators share: a function a condition, a decorator an equation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tracepact.codegen._base import EquationSource, Module, fields_of
from tracepact.codegen.layout import call, literal
from tracepact.codegen.quoting import docstring
from tracepact.codegen.statements import message, predicate_body
from tracepact.contracts import Condition

IMPORTS = ("from collections.abc import Callable", "from typing import Any, TypeVar", "")
RESERVED = frozenset({"Callable", "TypeVar", "_F"})
TYPE_VARIABLE = '_F = TypeVar("_F", bound=Callable[..., Any])'


@dataclass(frozen=True, slots=True)
class Style:
    """How a library wants its conditions.

    Attributes:
        require: What makes a decorator of a condition on the arguments.
        ensure: The same for the result.
        keyword: How the message is handed over: `message=`, or nothing.
        parameter: Parameter of a condition that brings a field.
        raw: Expression that finds the field there.
        extra: Further decorators, applied last.
    """

    require: str
    ensure: str
    keyword: str
    parameter: Callable[[Module, str], str]
    raw: Callable[[Module, EquationSource, str], str]
    extra: Callable[[Module, EquationSource], Iterable[list[str]]] = lambda module, equation: ()


def write(module: Module, style: Style) -> Iterator[str]:
    """Top-level statements of a module in that style."""
    yield TYPE_VARIABLE
    for equation in module.equations:
        yield from _equation(module, equation, style)


def _equation(module: Module, equation: EquationSource, style: Style) -> Iterator[str]:
    applied: list[list[str]] = []
    phases = (("requires", style.require, equation.entry), ("ensures", style.ensure, equation.exit))
    for word, maker, conditions in phases:
        for index, condition in enumerate(conditions, 1):
            wanted = f"_{equation.identifier}_{word}_{index}"
            name = module.functions.of(f"{word} {index} {equation.name}", wanted)
            yield _predicate(name, module, equation, condition, style)
            told = f"{style.keyword}{literal(message(condition), indent=12)}"
            applied.append([maker, name, told])
    applied.extend(style.extra(module, equation))
    if not applied:
        if equation.comments:
            yield "\n".join(equation.comments)
        return
    name = module.functions.of(f"enforce {equation.name}", f"enforce_{equation.identifier}")
    lines = [
        *equation.comments,
        f"def {name}(function: _F) -> _F:",
        f"    {docstring(f'Check every call against equation {equation.name}.')}",
        "    if __debug__:",
    ]
    for maker, *arguments in applied:
        lines += call(f"function = {maker}", arguments, indent=8, tail="(function)")
    yield "\n".join([*lines, "    return function"])


def _predicate(
    name: str, module: Module, equation: EquationSource, condition: Condition, style: Style
) -> str:
    parameters = dict.fromkeys(style.parameter(module, key) for key in fields_of([condition]))
    signature = call(f"def {name}", [f"{p}: Any" for p in parameters], tail=" -> bool:")
    body = predicate_body(module, condition, lambda key: style.raw(module, equation, key))
    return "\n".join([*signature, *body])
