"""Conditions that a decorator states: predicates and functions, made into conditions of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tracepact.contracts import Condition
from tracepact.contracts.conditions import ConditionKind
from tracepact.contracts.problem_log import quoted
from tracepact.enforce.claims import Claim, names_of
from tracepact.enforce.source_text import text_of
from tracepact.errors import ConfigError
from tracepact.predicate import Predicate, parse_predicate
from tracepact.predicate.ast import Number
from tracepact.tracing.layer import caller
from tracepact.types import SourceLocation

Stated: TypeAlias = str | Callable[..., object]
"""A predicate, or a function of fields that returns whether it holds."""


def compile_stated(
    decorator: str, kind: ConditionKind, stated: Sequence[Stated], tolerance: float | None
) -> list[Condition]:
    """Conditions that do not yet say of which function they are.

    Raises:
        ConfigError: There is none, or one cannot be understood; names the place of the decorator.
    """
    where = SourceLocation(*caller())
    if not stated:
        raise ConfigError(f'{where}: @{decorator}() states nothing; write @{decorator}("x > 0")')
    return [_compile(kind, each, tolerance, where) for each in stated]


def split(conditions: Sequence[Condition]) -> tuple[list[Condition], list[Claim]]:
    """Those that are predicates, and those that are functions."""
    claims = [condition for condition in conditions if isinstance(condition, Claim)]
    return [each for each in conditions if not isinstance(each, Claim)], claims


def _compile(
    kind: ConditionKind, stated: Stated, tolerance: float | None, where: SourceLocation
) -> Condition:
    if isinstance(stated, str):
        predicate = parse_predicate(stated, origin=where)
        if predicate.uses_tolerance and tolerance is None:
            raise ConfigError(f"{where}: {quoted(stated)} uses tol; pass tol=… to the decorator")
        return Condition(kind, predicate, stated, stated, tolerance, "", "", where)
    if not callable(stated):
        raise ConfigError(
            f"{where}: {stated!r} is no condition; write a predicate as a string, or a lambda"
        )
    names = names_of(stated, where)
    text = text_of(stated, names)
    # The plan of the site tests nothing for a claim.
    holds = Predicate(text, Number(1.0))
    return Claim(kind, holds, text, text, None, "", "", where, stated, names)
