"""What an equation says about its fields: order, shapes, which one is the result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tracepact.contracts import Condition, Equation
from tracepact.predicate.ast import Call, Name, Node, walk
from tracepact.predicate.functions import FUNCTIONS, FunctionKind, is_elementwise
from tracepact.predicate.lower import TOLERANCE

RESULT = "ret"

_ASSIGNED = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)")
_BOUND = r"\s*(?:[-+\d.e∞]|inf)+\s*"
_INTERVAL = re.compile(rf"\[{_BOUND},{_BOUND}\]")
# Repetitions are bounded, so that a long text without brackets does not take quadratic time.
_SHAPE = (
    r"(?<!\w){0}(?:\s*,\s*\w{{1,40}}){{0,6}}\s{{0,4}}(?:\([^()]{{0,80}}\)\s?)?(\[[^\[\]]{{1,60}}\])"
)
_POWER = re.compile(r"\^\s?(\[[^\[\]]{1,60}\]|\w|\{)")


def ordered_fields(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """Names that the conditions look at (`x` for `old(x)`), in order of appearance."""
    names = (name for condition in conditions for name in _names(condition.predicate.node))
    return tuple(dict.fromkeys(name for name in names if name != TOLERANCE))


def result_field(equation: Equation, conditions: Sequence[Condition]) -> str | None:
    """The name under which the conditions look at the result; None where they do not.

    That is `ret`. Where no condition looks at `ret` it is what the formula assigns
    (`bytes_per_token = …`), if that is looked at behind the computation only.
    """
    fields = ordered_fields(conditions)
    if RESULT in fields:
        return RESULT
    head = _ASSIGNED.match(equation.formula)
    if head is None or ";" in equation.formula or head[1] not in fields:
        return None
    before = ordered_fields(c for c in conditions if c.kind == "precondition")
    copied = any(f"old({head[1]})" in c.predicate.fields for c in conditions)
    return None if head[1] in before or copied else head[1]


def shape_of(field: str, equation: Equation) -> str:
    """The shape that domain or codomain give a field, `[T, d]`; empty where they give none."""
    for text in (equation.domain, equation.codomain):
        for match in re.finditer(_SHAPE.format(re.escape(field)), text):
            if not _INTERVAL.fullmatch(match[1]):
                return match[1]
    return ""


def is_power(codomain: str) -> bool:
    """Whether a codomain is that of arrays: `R^[..., n]`, `[0, 1]^n`."""
    return _POWER.search(codomain) is not None


def measured_arrays(conditions: Iterable[Condition]) -> frozenset[str]:
    """Fields that only an array can be: their shape is asked for, or they alone are reduced."""
    found: set[str] = set()
    for condition in conditions:
        for node in walk(condition.predicate.node):
            if isinstance(node, Call):
                found |= _reduced(node)
    return frozenset(found)


def _reduced(call: Call) -> set[str]:
    if is_elementwise(call.function, len(call.arguments)) or call.function == "old":
        return set()
    names = {n for argument in call.arguments for n in _names(argument)} - {TOLERANCE}
    is_meta = FUNCTIONS[call.function].kind is FunctionKind.META
    return names if is_meta or len(names) == 1 else set()


def _names(node: Node) -> Iterable[str]:
    return (part.id for part in walk(node) if isinstance(part, Name))
