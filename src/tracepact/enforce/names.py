"""Which parameter a name in a condition means; found out when the function is defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tracepact.contracts import Condition
from tracepact.contracts.problem_log import did_you_mean, quoted
from tracepact.enforce.claims import Claim
from tracepact.errors import ConfigError

RESULT = "ret"


def fields_of(*conditions: Condition) -> frozenset[str]:
    """Names that conditions look at, `x` for `old(x)`."""
    return frozenset(
        plain(field)
        for condition in conditions
        for field in (
            condition.names if isinstance(condition, Claim) else condition.predicate.fields
        )
    )


def plain(field: str) -> str:
    """`x` for `old(x)`."""
    return field.removeprefix("old(").removesuffix(")") if field.startswith("old(") else field


def resolve_names(
    conditions: Sequence[Condition],
    function: str,
    known: Sequence[str],
    bind: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What each name in the conditions stands for.

    Args:
        conditions: In the order in which mistakes are listed.
        function: How messages call it, with its parameters.
        known: What names may stand for: parameters, and `ret` where there is a result.
        bind: One of these by name, where the two differ; None where nothing can be bound.

    Raises:
        ConfigError: A name is not known, or `bind` has a name or a parameter that is not there;
            a line a mistake, with the place of the condition and what is near.
    """
    mistakes = [
        *_wrong_binds(conditions, function, known, bind or {}),
        *_wrong_names(conditions, function, known, bind),
    ]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return {name: (bind or {}).get(name, name) for name in sorted(fields_of(*conditions))}


def _wrong_names(
    conditions: Sequence[Condition],
    function: str,
    known: Sequence[str],
    bind: Mapping[str, str] | None,
) -> Iterator[str]:
    for condition in conditions:
        for name in sorted(fields_of(condition) - {*known, *(bind or {})}):
            hint = did_you_mean(name, known)
            if bind is not None:
                hint += f"; rename the parameter, or say which one is meant: bind={{{name!r}: …}}"
            yield (
                f"{condition.location}: the {condition.kind} {quoted(condition.expression)} of "
                f"{condition.contract}/{condition.equation} looks at {name!r}, which is no "
                f"parameter of {function}; {hint}"
            )


def _wrong_binds(
    conditions: Sequence[Condition], function: str, known: Sequence[str], bind: Mapping[str, str]
) -> Iterator[str]:
    names = fields_of(*conditions)
    for name, parameter in bind.items():
        entry = f"bind={{{name!r}: {parameter!r}}}"
        if name not in names:
            yield f"{entry}: no condition looks at {name!r}; {did_you_mean(name, names)}"
        if parameter not in known:
            yield (
                f"{entry}: {function} has no parameter {parameter!r}; "
                f"{did_you_mean(parameter, known)}"
            )
