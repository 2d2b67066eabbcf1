"""What is checked when a call begins, and what when it ends."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracepact.contracts import Condition
from tracepact.enforce.names import RESULT, fields_of, plain
from tracepact.tracing import ContractTracingLayer, Site


@dataclass(frozen=True, slots=True)
class Stage:
    """Conditions that are checked at one moment of a call.

    Attributes:
        site: Checks them.
        sources: Of a name in the conditions: the parameter, or `ret`.
        bare: Checks those that look at no optional field; None where there is none. C asks it
            where every optional field is left out.
    """

    site: Site
    sources: Mapping[str, str]
    bare: Site | None = None

    def admits(self) -> bool:
        """Whether the next check of these conditions runs."""
        return self.site.tracing_layer.admits(self.site)

    def check(self, given: Mapping[str, Any]) -> None:
        """Check conditions that were admitted; `given` has values by parameter."""
        named = {name: given[at] for name, at in self.sources.items() if at in given}
        self.site._check_admitted({**given, **named}, self.site.context)


def make_stage(
    layer: ContractTracingLayer,
    contract: str,
    equation: str,
    conditions: Sequence[Condition],
    sources: Mapping[str, str],
    signature: inspect.Signature,
) -> Stage | None:
    """Conditions to be checked at one moment; None where there are none.

    A parameter whose default is None may be left out, and so may what is said about it.
    """
    if not conditions:
        return None
    names = sorted(fields_of(*conditions))
    site = layer.site_over(contract, equation, conditions)
    may_be_none = {name for name, each in signature.parameters.items() if each.default is None}
    may_be_none.discard(RESULT)  # a parameter of that name; behind the call it is the result
    optional = {name for name in names if sources[name] in may_be_none}
    site.optional = frozenset(field for name in optional for field in (name, f"old({name})"))
    rest = [condition for condition in conditions if not fields_of(condition) & optional]
    bare = layer.site_over(contract, equation, rest) if optional and rest else None
    return Stage(site, {name: sources[name] for name in names}, bare)


@dataclass(frozen=True, slots=True)
class Stages:
    """Both moments of the calls of one function; None where nothing is checked."""

    signature: inspect.Signature
    entry: Stage | None
    exit: Stage | None

    def admits(self) -> bool:
        """Whether the next call is checked: one decision for both moments."""
        deciding = self.exit or self.entry
        return deciding is not None and deciding.admits()

    def enter(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, check: bool = True
    ) -> dict[str, Any]:
        """Check preconditions.

        Returns:
            Values by parameter, and as `old(x)` those that postconditions compare with.

        A call that does not fit the signature is not checked here: the function itself will say so.
        """
        try:
            bound, fits = self.signature.bind(*args, **kwargs), True
        except TypeError:
            bound, fits = _as_far_as_it_fits(self.signature, args, kwargs), False
        bound.apply_defaults()
        given = dict(bound.arguments)
        if self.entry is not None and fits and check:
            now = {f"old({name})": given.get(at) for name, at in self.entry.sources.items()}
            self.entry.check({**given, **now})
        if self.exit is not None:
            self._keep(self.exit, given)
        return given

    def leave(self, given: Mapping[str, Any], ret: Any) -> None:
        """Check postconditions."""
        if self.exit is not None:
            self.exit.check({**given, RESULT: ret})

    def _keep(self, stage: Stage, given: dict[str, Any]) -> None:
        for name in stage.site.copied:
            value = given.get(stage.sources[name])
            if value is not None:
                fields = {name: value}
                stage.site._copy(name, fields)
                given |= {key: kept for key, kept in fields.items() if key != plain(key)}


def _as_far_as_it_fits(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """A decorator underneath may add arguments that the signature of the innermost asks for."""
    try:
        return signature.bind_partial(*args, **kwargs)
    except TypeError:
        return signature.bind_partial()
