"""Conditions that are Python functions: their sites ask instead of measuring."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracepact.contracts import Condition
from tracepact.core import TensorStats, is_scalar
from tracepact.errors import ConfigError
from tracepact.predicate import Plan
from tracepact.tracing import ContractTracingLayer, Site
from tracepact.tracing.layer import caller
from tracepact.tracing.native import site_class
from tracepact.violation import Context, Violation

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Claim(Condition):
    """A condition that holds where a function of some fields is true.

    Attributes:
        function: Takes the fields by position. An error in it is a verdict, never an exception.
            Where it is not true under the native core, it is asked a second time for the report.
        names: The fields.
    """

    function: Callable[..., object]
    names: tuple[str, ...]


def names_of(function: Callable[..., Any], where: object) -> tuple[str, ...]:
    """Fields that a function asks for: its parameters without a default.

    Raises:
        ConfigError: It cannot be called with fields by position, or yields no truth value.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {function!r} cannot be a condition: {error}") from error
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise ConfigError(f"{where}: {function!r} cannot be a condition; it returns no truth value")
    wanted = [p for p in parameters if p.default is p.empty]
    for parameter in wanted:
        if parameter.kind not in _POSITIONAL:
            raise ConfigError(
                f"{where}: {function!r} cannot be a condition because of {str(parameter)!r}; "
                "name the fields that it looks at: lambda x, ret: …"
            )
    return tuple(parameter.name for parameter in wanted)


def claim_site(
    layer: ContractTracingLayer, contract: str, equation: str, claims: Sequence[Claim]
) -> Site:
    """A site that asks these claims."""
    base = site_class(layer.native_state)
    if base not in _CLASSES:
        _CLASSES[base] = type("Site", (ClaimSite, base), {})
    return _CLASSES[base](layer, contract, equation, claims, caller())


class ClaimSite(Site):
    """A site all of whose conditions are claims; the plan has nothing to test."""

    def _plan_for(self, given: frozenset[str] | None) -> tuple[Plan, tuple[Condition, ...]]:
        plan, conditions = super()._plan_for(given)
        plan.native = None  # C must not take nothing to test for an answer
        return plan, conditions

    def _examine(
        self,
        fields: Mapping[str, Any],
        context: Context,
        statistics: dict[str, TensorStats] | None,
    ) -> list[Violation]:
        found = []
        for claim in self.conditions:
            assert isinstance(claim, Claim)
            violation = self._ask(claim, fields, context)
            if violation is not None:
                found.append(violation)
        return found

    def _ask(self, claim: Claim, fields: Mapping[str, Any], context: Context) -> Violation | None:
        missing = [name for name in claim.names if name not in fields]
        if missing:
            text = f"no field {', '.join(map(repr, missing))} was recorded"
            return self._violation(claim, context, "unbound", text)
        values = {name: fields[name] for name in claim.names}
        try:
            if claim.function(*values.values()):
                return None
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            return self._violation(claim, context, "error", text)
        facts = ", ".join(f"{name} = {_short(value)}" for name, value in values.items())
        text = f"{facts}: {claim.expression} is false" if facts else f"{claim.expression} is false"
        measured = {name: value for name, value in values.items() if is_scalar(value)}
        return self._violation(claim, context, "failed", text, measured)


_CLASSES: dict[type[Site], type[Site]] = {Site: ClaimSite}
"""The class of sites of claims, by the class of other sites."""


def _short(value: Any) -> str:
    # It takes errors of the value's own repr.
    return " ".join(reprlib.repr(value).split())
