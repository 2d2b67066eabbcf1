"""Predicates and formulas: parsed text that can be checked, explained or evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tracepact.errors import ConfigError
from tracepact.predicate.ast import Name, Node, walk
from tracepact.predicate.errors import PredicateError
from tracepact.predicate.explain import first_failures
from tracepact.predicate.kinds import check_claim, check_kinds
from tracepact.predicate.lower import TOLERANCE, field_names
from tracepact.predicate.plan import PlanResult, compile_plan, compile_value
from tracepact.predicate.python_dialect import parse
from tracepact.types import SourceLocation

_ASSIGNMENT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A claim over named fields.

    Attributes:
        text: As written.
        node: Its expression tree.
        fields: Names that a producer must hand in (`old(x)` is a name of its own).
    """

    text: str
    node: Node
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", field_names(self.node))

    @property
    def uses_tolerance(self) -> bool:
        """Whether the claim needs a tolerance from its equation."""
        return any(isinstance(n, Name) and n.id == TOLERANCE for n in walk(self.node))

    def check(self, /, *, tol: float | None = None, **fields: Any) -> bool:
        """Whether the claim holds for these fields.

        Args:
            tol: What `tol` stands for, before scaling by dtype and row length.
            **fields: Arrays of any library, or numbers.

        Raises:
            ConfigError: A field (or the tolerance) is missing.
            MeasureError: Fields do not fit together, or are not numbers.

        For occasional use: it compiles a plan every time. Hot paths use a site.
        """
        return not self._run(tol, fields).failed

    def explain(self, /, *, tol: float | None = None, **fields: Any) -> str:
        """The first offending index and value, or an empty string if the claim holds.

        Raises:
            ConfigError, MeasureError: As `check`.
        """
        failures = first_failures(self._run(tol, fields))
        return failures[0].text if failures else ""

    def _run(self, tol: float | None, fields: dict[str, Any]) -> PlanResult:
        if self.uses_tolerance and tol is None:
            raise ConfigError(f"{self.text!r} uses a tolerance; pass tol=…")
        _require(self.fields, self.text, fields)
        return compile_plan([(self.node, tol)]).run(fields)


@dataclass(frozen=True, slots=True)
class Formula:
    """`name = expression`, evaluated to a number; how a contract states a budget."""

    text: str
    name: str
    node: Node
    fields: frozenset[str] = field(init=False)
    _value: Callable[[Mapping[str, Any]], float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", field_names(self.node))
        object.__setattr__(self, "_value", compile_value(self.node))

    def evaluate(self, /, **fields: Any) -> float:
        """Value of the formula.

        Raises:
            ConfigError: A field is missing.
            MeasureError: The value is not one number.
        """
        _require(self.fields, self.text, fields)
        return self._value(fields)


def _require(names: frozenset[str], text: str, fields: dict[str, Any]) -> None:
    missing = sorted(names - fields.keys())
    if missing:
        raise ConfigError(
            f"{text!r} needs {', '.join(missing)}; given: {', '.join(sorted(fields)) or 'nothing'}"
        )


def parse_predicate(text: str, *, origin: SourceLocation | None = None) -> Predicate:
    """Parse a claim; the dialect is found by itself.

    Raises:
        PredicateError: No dialect understands the text; the message shows where and what to do.
    """
    try:
        node = parse(text)
        check_kinds(node, text)
        check_claim(node, text)
    except PredicateError as error:
        raise _located(error, origin) from None
    return Predicate(text, node)


def parse_formula(text: str, *, origin: SourceLocation | None = None) -> Formula:
    """Parse `name = expression`.

    Raises:
        PredicateError: The text is not of that form.
    """
    head = _ASSIGNMENT.match(text)
    if head is None:
        raise PredicateError("a formula is written 'name = expression'", text, 0, origin=origin)
    body = text[head.end() :]
    try:
        node = parse(body)
        check_kinds(node, body)
    except PredicateError as error:
        moved = PredicateError(error.reason, text, error.offset + head.end(), hint=error.hint)
        raise _located(moved, origin) from None
    return Formula(text, head[1], node)


def _located(error: PredicateError, origin: SourceLocation | None) -> PredicateError:
    if origin is None:
        return error
    return PredicateError(error.reason, error.text, error.offset, hint=error.hint, origin=origin)
