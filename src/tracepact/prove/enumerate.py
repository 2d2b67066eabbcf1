"""Every input up to a size with elements from a small set, through the plan that every check uses.

An input with free rows (`[..., n]`) is filled with all rows at once, one call instead of thousands,
where the claim looks at each row by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from tracepact.predicate import compile_plan
from tracepact.predicate.ast import Call, Name, walk
from tracepact.predicate.functions import FUNCTIONS, FunctionKind
from tracepact.prove.domain import Input, Shapes, sizes
from tracepact.prove.proof import MAX_CALLS, MAX_ROWS, MOST_CALLS, Deadline, Undecidable
from tracepact.prove.subject import Fields, Judge, holds

_LEAST_VALUES: Final = 3
_LISTED_VALUES: Final = 8
ALL_PATTERNS: Final = 65_536
"""The bound that means every pattern of 16 bits."""

_LOWER_HALVES: Final = np.array([0, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)


@dataclass(frozen=True, slots=True)
class Enumeration:
    """What was enumerated, or the case that failed."""

    detail: str
    failing: Fields | None = None


def enumerate_cases(
    judge: Judge,
    inputs: Sequence[Input],
    bound: int,
    deadline: Deadline,
    *,
    dtype: type[np.floating[Any]],
    strategy: str,
) -> Enumeration:
    """Check every case.

    Args:
        judge: Checks one.
        inputs: What a case has to fill.
        bound: Most elements of an array, and the largest whole number.
        deadline: When to stop.
        dtype: Storage of elements that are not whole numbers.
        strategy: `bounded_int` takes whole numbers; `exhaustive` also a fraction and both zeros;
            `stub_float` corner cases of all magnitudes.

    Raises:
        Undecidable: There are too many, or the time is over before the last one.
    """
    shapes = sizes(inputs, bound)
    if not shapes:
        raise Undecidable(f"no input has at most {bound} elements")
    space = _Space(judge, inputs, bound, dtype, strategy)
    cases = 0
    for shape in shapes:
        for fields, count in space.cases(shape, deadline):
            deadline.check(f"{cases} cases of arrays of up to {bound} elements")
            cases += count
            if judge.violation(fields):
                return Enumeration("", _shrunk(judge, fields, [one.name for one in space.rows]))
    return Enumeration(f"{cases} cases, {space.described(shapes[-1])}")


class _Space:
    """All cases of some inputs."""

    def __init__(
        self,
        judge: Judge,
        inputs: Sequence[Input],
        bound: int,
        dtype: type[np.floating[Any]],
        strategy: str,
    ) -> None:
        self._judge, self._inputs, self._bound = judge, inputs, bound
        self._dtype, self._strategy = dtype, strategy
        self.rows = [one for one in inputs if one.has_rows] if _is_by_rows(judge, inputs) else []
        with_rows = judge.subject.results | {one.name for one in self.rows}
        without = [c for c in judge.claim.assumed if not c.predicate.fields & with_rows]
        self._without_rows = compile_plan([(c.predicate.node, c.tolerance) for c in without])

    def described(self, shape: Shapes) -> str:
        """What elements the cases have."""
        parts = [f"arrays of up to {self._bound} elements"] if any(shape.values()) else []
        count = self._count(shape)
        for one in self._inputs:
            values = sorted(self._chosen(one, shape, count), key=lambda v: (v != v, v))
            texts = [f"{value:.4g}" for value in values]
            if len(texts) > _LISTED_VALUES:
                texts = [texts[0], "…", texts[-1]]
            parts.append(f"{one.name} of {{{', '.join(texts)}}}")
        return "; ".join(parts)

    def _values(self, one: Input) -> list[Any]:
        """Elements to choose from, the most telling ones first."""
        signed = [sign * n for n in range(1, self._bound + 1) for sign in (1, -1)]
        if one.is_whole:
            return [0, *signed]
        infinity = [-np.inf] if one.has_infinity else []
        if self._strategy == "bounded_int":
            return [1.0, 0.0, *infinity, -1.0, *map(float, signed[2:])]
        if self._strategy == "exhaustive":
            return [1.0, 0.0, *infinity, -1.0, 0.5, -0.0, *map(float, signed[2:])]
        info = np.finfo(self._dtype)
        tiny, largest = float(info.smallest_subnormal), float(info.max)
        return [
            *(1.0, 0.0, *infinity, largest, -1.0, tiny, -0.0, -largest, -tiny),
            *(float(info.tiny), 0.5, 3.0, 1 + float(info.eps)),
            *([] if one.is_finite else [np.inf]),
        ]

    def _chosen(self, one: Input, shape: Shapes, count: int) -> list[Any]:
        values = self._values(one)
        return values if one.is_whole and not shape[one.name] else values[:count]

    def _count(self, shape: Shapes) -> int:
        """How many values an element takes, so that the cases stay within bounds.

        Raises:
            Undecidable: Fewer than are worth it.
        """
        most = max((len(self._values(one)) for one in self._inputs), default=1)
        least = min(_LEAST_VALUES, most)
        for count in range(most, least - 1, -1):
            calls = wide = 1
            for one in self._inputs:
                cases = len(self._chosen(one, shape, count)) ** math.prod(shape[one.name])
                if one in self.rows:
                    wide *= cases
                else:
                    calls *= cases
            limit = MAX_CALLS if count > least else MOST_CALLS
            if calls <= limit and wide <= MAX_ROWS:
                return count
        total = sum(math.prod(each) for each in shape.values())
        raise Undecidable(f"{total} elements have too many cases to enumerate")

    def cases(self, shape: Shapes, deadline: Deadline) -> Iterator[tuple[Fields, int]]:
        """Every case of one shape, and how many rows it stands for."""
        count = self._count(shape)
        singles = [one for one in self._inputs if one not in self.rows]
        table = self._table(shape, count)
        for elements in self._combined(singles, shape, count):
            fields: Fields = {}
            for one in singles:
                array = elements[one.name]
                fields[one.name] = self._stored(one, array) if shape[one.name] else array.item()
            if not self.rows:
                yield fields, 1
                continue
            if not holds(self._without_rows, fields):
                continue
            number = len(table[self.rows[0].name])
            if self._judge.admits({**fields, **table}):
                yield {**fields, **table}, number
                continue
            keep = []
            for k in range(number):  # each row that is admitted by itself
                deadline.check("rows that the preconditions admit were being looked for")
                row = {name: array[k : k + 1] for name, array in table.items()}
                if self._judge.admits({**fields, **row}):
                    keep.append(k)
            if keep:
                yield {**fields, **{name: array[keep] for name, array in table.items()}}, len(keep)

    def _table(self, shape: Shapes, count: int) -> Fields:
        """Every combination of rows, one array an input."""
        if not self.rows:
            return {}
        combined = list(self._combined(self.rows, shape, count))
        return {
            one.name: self._stored(one, np.array([each[one.name] for each in combined]))
            for one in self.rows
        }

    def _combined(self, inputs: Sequence[Input], shape: Shapes, count: int) -> Iterator[Fields]:
        columns = [
            self._chosen(one, shape, count)
            for one in inputs
            for _ in range(math.prod(shape[one.name]))
        ]
        for elements in product(*columns):
            found, place = {}, 0
            for one in inputs:
                size = math.prod(shape[one.name])
                part = np.array(elements[place : place + size])
                found[one.name] = part.reshape(shape[one.name])
                place += size
            yield found

    def _stored(self, one: Input, array: Any) -> Any:
        return array.astype(np.int64 if one.is_whole else self._dtype)


def _is_by_rows(judge: Judge, inputs: Sequence[Input]) -> bool:
    """Whether no part of the claim reduces a whole field that has rows."""
    with_rows = {one.name for one in inputs if one.has_rows} | judge.subject.results
    for tree, _, _ in judge.claim.predicates:
        for node in walk(tree):
            if isinstance(node, Call) and len(node.arguments) == 1 and node.function != "all":
                kind = FUNCTIONS[node.function].kind
                names = {n.id for n in walk(node) if isinstance(n, Name)}
                if kind is FunctionKind.REDUCTION and names & with_rows:
                    return False
    return True


def _shrunk(judge: Judge, fields: Fields, rows: Sequence[str]) -> Fields:
    """As few rows as fail, found by halving."""
    while rows and len(fields[rows[0]]) > 1:
        middle = len(fields[rows[0]]) // 2
        for half in (slice(None, middle), slice(middle, None)):
            smaller = {**fields, **{name: fields[name][half] for name in rows}}
            if judge.violation(smaller):
                fields = smaller
                break
        else:
            return fields
    return fields


def enumerate_patterns(judge: Judge, inputs: Sequence[Input], deadline: Deadline) -> Enumeration:
    """Check every pattern of 16 bits as an element of the one array among the inputs.

    An input that its domain calls float16 takes all float16 values; any other takes the float32
    values whose upper half is the pattern, five for each: exact, and around the half in between.

    Raises:
        Undecidable: There are several inputs.
    """
    if len(inputs) != 1:
        raise Undecidable("every pattern of 16 bits needs one input, not several")
    (one,) = inputs
    if one.dtype == "float16":
        patterns = np.arange(ALL_PATTERNS, dtype=np.uint16).view(np.float16)
    else:
        halves = np.arange(ALL_PATTERNS, dtype=np.uint32)[:, None] << 16
        patterns = (halves | _LOWER_HALVES).reshape(-1).view(np.float32)
    if one.is_finite:
        kept = np.isfinite(patterns) | (np.isneginf(patterns) & one.has_infinity)
        patterns = patterns[kept]
    chosen = np.concatenate(list(_admitted(judge, one.name, patterns, deadline)) or [patterns[:0]])
    fields = {one.name: chosen}
    if len(chosen) and judge.violation(fields):
        return Enumeration("", _shrunk(judge, fields, [one.name]))
    detail = f"{len(chosen)} of {len(patterns)} values of {patterns.dtype.name} are admitted"
    return Enumeration(detail)


def _admitted(judge: Judge, name: str, values: Any, deadline: Deadline) -> Iterator[Any]:
    """Runs of values that the preconditions admit, found by halving."""
    deadline.check("no case")
    if judge.admits({name: values}):
        yield values
    elif len(values) > 1:
        middle = len(values) // 2
        yield from _admitted(judge, name, values[:middle], deadline)
        yield from _admitted(judge, name, values[middle:], deadline)
