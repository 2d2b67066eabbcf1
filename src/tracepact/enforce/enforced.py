"""What a decorated function says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

ATTRIBUTE = "__tracepact__"
"""Of a decorated function: a tuple of `Enforced`, the innermost decorator first."""


@dataclass(frozen=True, slots=True)
class Enforced:
    """One equation that the calls of a function are checked against.

    Attributes:
        contract: Stem of the contract.
        equation: Name of the equation.
        bind: Parameter by name in the predicates, where the two differ.
    """

    contract: str
    equation: str
    bind: Mapping[str, str] = field(default_factory=dict, hash=False)


def enforced(function: Any) -> tuple[Enforced, ...]:
    """What a function is checked against; empty where it is not decorated."""
    found: tuple[Enforced, ...] = getattr(function, ATTRIBUTE, ())
    return found


def unchecked(function: Any) -> Any:
    """The function below its contracts: the same one where it has none.

    For callers that check by themselves. A bound method gives the bound method below.
    """
    owner = getattr(function, "__self__", None)
    if owner is not None and enforced(function):
        return MethodType(unchecked(function.__func__), owner)
    while enforced(function):
        function = function.__wrapped__
    return function
