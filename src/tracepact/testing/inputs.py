"""Inputs of a bound function, as a Hypothesis strategy: what the contract says, then hooks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from tracepact.codegen.scaffold.fields import measured_arrays
from tracepact.contracts import Condition, Contract, Equation
from tracepact.enforce.names import fields_of
from tracepact.errors import TracepactError
from tracepact.predicate.ast import Number
from tracepact.testing.domain import (
    ELLIPSIS,
    INFINITY,
    Domain,
    PredicateError,
    evaluate,
    read_domain,
    size,
    size_names,
)
from tracepact.testing.hooks import Completion
from tracepact.testing.strategies import Draw, Values, arrays, numbers

LARGEST_SIZE: Final = 8
"""Of an axis; now and then one is a little longer than what a vector register holds."""

_LONG_SIZES: Final = (16, 33, 64)
_DTYPES: Final = re.compile(r"\b(bfloat16|float16|float32|float64)\b")


class CannotTestError(TracepactError):
    """No input can be made, or no claim evaluated; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the inputs of one function are.

    Attributes:
        domain: What the contract says.
        arrays: Fields that are arrays.
        numbers: Fields that are numbers; true where these are whole.
        quantities: Those of the numbers that are handed in as arrays without axes.
        dtypes: Of floating arrays; one is drawn for all of them.
        exact: Fields whose elements are such that sums are exact.
        twins: Further arrays, each made like the field that it names.
        complete: What the project adds.
    """

    domain: Domain
    arrays: tuple[str, ...]
    numbers: Mapping[str, bool]
    quantities: tuple[str, ...]
    dtypes: tuple[str, ...]
    exact: frozenset[str] = frozenset()
    twins: Mapping[str, str] = field(default_factory=dict)
    complete: Completion | None = None

    def strategy(self) -> st.SearchStrategy[dict[str, Any]]:
        """Inputs by field."""
        return st.composite(self._draw)()

    def _draw(self, draw: Draw) -> dict[str, Any]:
        dtype = _dtype(draw(st.sampled_from(self.dtypes)))
        sizes = self._sizes(draw)
        lead = tuple(draw(st.lists(st.integers(1, 4), max_size=2)))
        shapes = {name: self._shape(name, sizes, lead) for name in self.arrays}
        made: dict[str, Any] = {}
        steps = dict(self.domain.multiples)
        for name, is_whole in sorted(self.numbers.items(), key=lambda each: each[0] in steps):
            count = self.domain.counts.get(name)
            if steps.get(name) in made:
                made[name] = made[steps[name]] * draw(st.integers(1, 4))
            elif count is not None and count[0] in shapes:
                made[name] = shapes[count[0]][count[1]]
            elif name in sizes:
                made[name] = sizes[name]
            else:
                made[name] = draw(numbers(self._values(name, made, shapes, is_whole=is_whole)))
        made |= {name: np.asarray(made[name], np.float64) for name in self.quantities}
        for name, shape in shapes.items():
            is_whole = self.domain.of(name).is_whole
            values = self._values(name, made, shapes, is_whole=is_whole)
            made[name] = arrays(draw, shape, np.int64 if is_whole else dtype, values)
        for name, like in self.twins.items():
            values = self._values(like, made, shapes, is_whole=False)
            made[name] = arrays(draw, shapes[like], dtype, values)
        if self.complete is not None:
            made |= self.complete(draw, made)
        return made

    def _sizes(self, draw: Draw) -> dict[str, int]:
        names = [
            name
            for each in self.arrays
            for axis in self.domain.shapes.get(each, ())
            if axis != ELLIPSIS and not axis.isdigit()
            for name in size_names(axis)
        ]
        steps = dict(self.domain.multiples)
        found: dict[str, int] = {}
        # Where all axes are alike, exchanged ones raise no error.
        alike = draw(st.integers(2, LARGEST_SIZE)) if draw(st.integers(0, 3)) == 3 else None

        def choose(name: str, above: tuple[str, ...] = ()) -> int:
            if name.isdigit():
                return int(name)
            if name not in found:
                step = steps.get(name)
                if step is not None and step not in above:
                    found[name] = choose(step, (*above, name)) * draw(st.integers(1, 4))
                elif alike is not None:
                    found[name] = alike
                elif draw(st.integers(0, 15)) == 15:  # rarely, and never in shrunk inputs
                    found[name] = draw(st.sampled_from(_LONG_SIZES))
                else:
                    found[name] = draw(st.integers(1, LARGEST_SIZE))
            return found[name]

        for name in dict.fromkeys(names):
            choose(name)
        return found

    def _shape(self, name: str, sizes: Mapping[str, int], lead: tuple[int, ...]) -> tuple[int, ...]:
        shape: list[int] = []
        for axis in self.domain.shapes[name]:
            if axis == ELLIPSIS:
                shape += lead
                continue
            length = size(axis, sizes)
            if length is None:
                raise CannotTestError(f"the axis {axis!r} of {name!r} has no whole length")
            shape.append(length)
        return tuple(shape)

    def _values(
        self,
        name: str,
        made: Mapping[str, Any],
        shapes: Mapping[str, tuple[int, ...]],
        *,
        is_whole: bool,
    ) -> Values:
        limits = self.domain.of(name)
        lower = _known(limits.lower, made, shapes)
        upper = _known(limits.upper, made, shapes)
        lowest, out_low = max(lower, default=(-INFINITY, False))
        highest, out_high = min(
            upper, key=lambda each: (each[0], not each[1]), default=(INFINITY, False)
        )
        speaks_of_infinity = any(value == INFINITY for value, _ in upper)
        excludes_masks = (
            limits.is_finite or lowest > -INFINITY or any(value == -INFINITY for value, _ in lower)
        )
        is_exact = name in self.exact
        return Values(
            lowest=lowest,
            highest=highest,
            excludes_lowest=out_low,
            excludes_highest=out_high,
            is_whole=is_whole,
            is_open=speaks_of_infinity and not limits.is_finite and not is_exact,
            is_masked=limits.has_masked or (speaks_of_infinity and not excludes_masks),
            has_masked=limits.has_masked,
            has_finite_rows=limits.has_finite_rows,
            is_exact=is_exact,
        )


def read_inputs(
    contract: Contract,
    equations: Sequence[Equation],
    conditions: Sequence[Condition],
    taken: Mapping[str, inspect.Parameter],
    *,
    claims: Sequence[Condition],
    made: frozenset[str],
    extra: Sequence[str],
    twins: Mapping[str, str],
    exact: frozenset[str],
    dtypes: Sequence[str],
    complete: Completion | None,
) -> Inputs:
    """How inputs of a function are made.

    Args:
        contract: What it is held to.
        equations: The one that is tested, and those that it calls.
        conditions: Preconditions of these equations.
        taken: Parameters by field.
        claims: What is tested; parameters that no condition looks at keep their defaults.
        made: Fields that are results.
        extra: Numbers that are no parameters, as `c` in `softmax(x + c)`.
        twins: Further arrays, each made like the field that it names.
        exact: Fields whose elements are such that sums are exact.
        dtypes: Of floating arrays, where the contract names none.
        complete: What the project gives.

    Raises:
        CannotTestError: Nothing says enough about a parameter; says which one and what to do.
    """
    asked = {
        name: each
        for name, each in taken.items()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    domain = read_domain(contract, equations, conditions, list(asked))
    every = [*conditions, *claims]
    kinds = _kinds(asked, fields_of(*every) - made, domain, measured_arrays(every))
    missing = {name: kind for name, kind in kinds.items() if kind not in _KINDS}
    for name, axes in _unreadable(domain, kinds):
        missing[name] = f"its shape {axes} cannot be read"
    if missing and complete is None:
        raise CannotTestError(_no_strategy(equations[0].name, contract.stem, missing))
    known = {name: kind for name, kind in kinds.items() if name not in missing}
    return Inputs(
        domain=domain,
        arrays=tuple(name for name, kind in known.items() if kind == "array"),
        numbers={name: kind == "whole" for name, kind in known.items() if kind != "array"}
        | dict.fromkeys(extra, True),
        quantities=tuple(n for n, kind in known.items() if kind != "array" and _is_array(asked[n])),
        dtypes=tuple(dict.fromkeys(_DTYPES.findall(equations[0].domain))) or tuple(dtypes),
        exact=exact,
        twins={twin: like for twin, like in twins.items() if known.get(like) == "array"},
        complete=complete,
    )


def _no_strategy(equation: str, contract: str, missing: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
    return (
        f"no inputs can be made for {reasons}. Give them in conftest.py with "
        f'@tracepact.testing.strategy("{contract}", "{equation}")'
    )


_ARRAY: Final = re.compile(r"Array|ndarray")
_KINDS: Final = ("array", "whole", "number")


def _kinds(
    asked: Mapping[str, inspect.Parameter],
    wanted: frozenset[str],
    domain: Domain,
    measured: frozenset[str],
) -> dict[str, str]:
    """By field what it is, else why that cannot be told."""
    needed = {
        name: _annotation(each)
        for name, each in asked.items()
        if each.default is each.empty
        or (name in wanted and (each.default is not None or name in domain.counts))
    }
    arrays = [n for n in needed if n in measured or _is_array(asked[n])]
    kinds: dict[str, str] = {}
    if not domain.shapes:
        if len(arrays) == 1:
            domain.shapes[arrays[0]] = (ELLIPSIS, "n")  # any shape will do
        elif measured.isdisjoint(arrays):
            kinds = {name: _quantity(name, domain) for name in arrays}
    return {name: kinds.get(name) or _kind(name, text, domain) for name, text in needed.items()}


def _quantity(name: str, domain: Domain) -> str:
    """What a field of an equation without any shape is: a count, unless it is a share."""
    limits = domain.of(name)
    highest = [evaluate(node, {}) for node, _ in limits.upper]
    if any(value is not None and value <= 1 for value in highest):
        return "number"
    if not limits.lower:
        limits.lower.append((Number(1.0), False))
    return "whole"


def _is_array(parameter: inspect.Parameter) -> bool:
    return _ARRAY.search(_annotation(parameter)) is not None


def _annotation(parameter: inspect.Parameter) -> str:
    found = parameter.annotation
    return found if isinstance(found, str) else getattr(found, "__name__", str(found))


def _kind(name: str, annotation: str, domain: Domain) -> str:
    if name == "self":
        return "a method needs an object"
    if name in domain.shapes:
        return "array"
    if name in domain.counts:
        return "whole"
    limits = domain.of(name)
    if re.match(r"int\b", annotation):
        return "whole" if limits.lower else "an int, and no precondition says from where on"
    if re.match(r"float\b", annotation):
        return "number"
    if _ARRAY.search(annotation):
        return "neither domain nor codomain gives its shape"
    return "number" if limits.lower or limits.upper else "the contract says nothing about it"


def _unreadable(domain: Domain, kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, kind in kinds.items():
        if kind == "array":
            axes = domain.shapes[name]
            try:
                for axis in axes:
                    if axis != ELLIPSIS and not axis.isdigit():
                        size_names(axis)
            except PredicateError:
                yield name, f"[{', '.join(axes)}]"


def _known(
    bounds: Sequence[tuple[Any, bool]],
    made: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
) -> list[tuple[float, bool]]:
    plain = {name: value for name, value in made.items() if isinstance(value, int | float)}
    found = ((evaluate(node, plain, shapes), strict) for node, strict in bounds)
    return [(value, strict) for value, strict in found if value is not None and value == value]


def _dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        try:
            import ml_dtypes  # noqa: PLC0415 - optional

            bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        except ImportError:
            raise CannotTestError("bfloat16 needs the package ml_dtypes; install it") from None
        return bfloat16
    return np.dtype(name)
