"""Strategies that a project gives where a contract alone does not say what an input looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

Drawn: TypeAlias = Mapping[str, Any]
Completion: TypeAlias = Callable[[Callable[..., Any], Drawn], Drawn]
"""Called with Hypothesis' `draw` and the inputs made so far; returns inputs to add or replace."""

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Given:
    """A strategy, and the function that it is for; "" for any function of the equation."""

    function: str
    complete: Completion


_Table: TypeAlias = dict[tuple[str, str], list[_Given]]

_given: Final[_Table] = {}
_shipped: Final[_Table] = {}


def strategy(contract: str, equation: str, *, function: str = "") -> Callable[[_F], _F]:
    """Say how inputs of an equation are made, in the `conftest.py` of the project.

    The decorated function is called for every example with Hypothesis' `draw` and a mapping of the
    inputs that the contract was enough for, by field: as the contract calls them, and by the name
    of the parameter where it does not. It returns those to add or to replace; `self` is the object
    of a method. What it returns still has to meet the preconditions.

    Args:
        contract: Stem of the contract.
        equation: Name of the equation.
        function: Name of the bound function, `function` or `Class.method`, where others of the
            same equation need something else.
    """
    return _register(_given, contract, equation, function)


def shipped(contract: str, equation: str) -> Callable[[_F], _F]:
    """`strategy` for contracts that ship with tracepact; one that a project gives comes before."""
    return _register(_shipped, contract, equation, "")


def _register(table: _Table, contract: str, equation: str, function: str) -> Callable[[_F], _F]:
    def register(complete: _F) -> _F:
        table.setdefault((contract, equation), []).insert(0, _Given(function, complete))
        return complete

    return register


def completion(contract: str, equation: str, function: str) -> Completion | None:
    """The strategy given for a function, else the one for any function of its equation."""
    found = [*_given.get((contract, equation), ()), *_shipped.get((contract, equation), ())]
    for wanted in (function, ""):
        for each in found:
            if each.function == wanted:
                complete: Completion = each.complete
                return complete
    return None
