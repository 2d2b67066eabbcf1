"""What is held against an obligation: the formula of an equation, or a function for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from tracepact.contracts import Condition
from tracepact.enforce.enforced import enforced, unchecked
from tracepact.enforce.names import RESULT
from tracepact.predicate import MeasureError, Plan, compile_plan, first_failures
from tracepact.predicate.ast import Call, Node, Number, walk
from tracepact.prove.algebra import Algebra, NumPyArithmetic
from tracepact.prove.formula import Definition
from tracepact.prove.proof import Undecidable

Fields = dict[str, Any]


_MAX_TRIES: Final = 500
"""Cases whose results are exchanged, to see whether the claim looks at them."""


class Subject(Protocol):
    """Something that computes the results of an equation."""

    results: frozenset[str]
    name: str

    def compute(self, fields: Mapping[str, Any]) -> Fields:
        """The results, by the names of their fields."""

    def call(self, fields: Mapping[str, Any], claim: Claim) -> str:
        """Text that computes them and checks the claim when it is pasted."""


@dataclass(frozen=True)
class Claim:
    """An obligation about the results of one equation.

    Attributes:
        contract: Stem.
        equation: Name of the equation.
        obligation: Its property.
        predicates: What is to hold, each with its tolerance and text.
        assumed: Preconditions.
    """

    contract: str
    equation: str
    obligation: str
    predicates: tuple[tuple[Node, float | None, str], ...]
    assumed: tuple[Condition, ...]
    fields: frozenset[str]


class FormulaSubject:
    """The formula of an equation, evaluated in float64."""

    def __init__(
        self, definitions: tuple[Definition, ...], functions: Mapping[str, Definition]
    ) -> None:
        self.definitions = definitions
        self.results = frozenset(definition.name for definition in definitions)
        self.name = "the formula"
        self._algebra = Algebra(NumPyArithmetic(), functions)

    def compute(self, fields: Mapping[str, Any]) -> Fields:
        """The results of the definitions, one after the other."""
        fields = {name: _wide(value) for name, value in fields.items()}
        found: Fields = {}
        for definition in self.definitions:
            found[definition.name] = self._algebra.define(definition, {**fields, **found})
        return found

    def call(self, fields: Mapping[str, Any], claim: Claim) -> str:
        """The predicates over the fields and what the formula makes of them."""
        given = {**fields, **self.compute(fields)}
        needed = {name: given[name] for name in sorted(claim.fields) if name in given}
        lines = ["import numpy as np, tracepact.predicate"]
        for _, tolerance, text in claim.predicates:
            tol = "" if tolerance is None else f", tol={tolerance!r}"
            # `old(x)` is no name of a parameter.
            fields_ = ", ".join(f"{name!r}: {literal(value)}" for name, value in needed.items())
            lines.append(
                "print(tracepact.predicate.parse_predicate("
                f"{text!r}).explain(**{{{fields_}}}{tol}))"
            )
        return "; ".join(lines)


class FunctionSubject:
    """A function that implements an equation.

    Args:
        function: Decorated or not.
        claim: What is to hold.
        described: Names that the domain of the equation speaks of.

    Raises:
        Undecidable: It is not known what to pass for a parameter.
    """

    def __init__(
        self, function: Callable[..., Any], claim: Claim, described: frozenset[str]
    ) -> None:
        bind: dict[str, str] = {}
        for each in enforced(function):
            if (each.contract, each.equation) == (claim.contract, claim.equation):
                bind = dict(each.bind)
        self._function = unchecked(function)
        self._names: dict[str, str] = {}
        self.name = self._label
        parameters = inspect.signature(self._function).parameters
        results = set()
        for name in sorted(claim.fields.union(*(c.predicate.fields for c in claim.assumed))):
            target = bind.get(name, name)
            if target == RESULT:
                results.add(name)
            elif name == RESULT or name.startswith("old("):
                raise Undecidable(f"{self.name} changes what it is given in place")
            elif target not in parameters:
                text = f"the field {name!r} is no parameter of {self.name}"
                raise Undecidable(f"{text}; it is not known what to pass")
            elif parameters[target].default is None:
                text = f"the parameter {target!r} of {self.name} may be left out"
                raise Undecidable(f"{text}; it is not known what belongs there")
            else:
                self._names[name] = target
        for parameter in parameters.values():
            left = parameter.name not in self._names.values()
            variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if left and not variadic and parameter.default is parameter.empty:
                if parameter.name not in described:
                    text = f"the parameter {parameter.name!r} of {self.name} is no field"
                    raise Undecidable(f"{text} of the equation; it is not known what to pass")
                self._names[parameter.name] = parameter.name
        order = {name: place for place, name in enumerate(parameters)}
        self._names = dict(sorted(self._names.items(), key=lambda pair: order[pair[1]]))
        self.results = frozenset(results)
        self.inputs = frozenset(self._names)
        whole = ("int", int)
        self.wholes = {n for n, p in self._names.items() if parameters[p].annotation in whole}

    @property
    def _label(self) -> str:
        return f"{self._function.__module__}.{self._function.__qualname__}"

    def compute(self, fields: Mapping[str, Any]) -> Fields:
        """Call it; inputs are copies, so that it cannot change a case."""
        given = {
            parameter: value.copy() if isinstance(value, np.ndarray) and value.ndim else value
            for name, parameter in self._names.items()
            for value in (fields[name],)
        }
        with np.errstate(all="ignore"):
            try:
                found = self._function(**given)
            except Exception as error:  # whatever foreign code raises
                text = f"{self.name} raised {type(error).__name__}: {error}"
                raise Undecidable(f"{text}; in {self.call(fields, None)}") from None
        if not is_numeric(found):
            raise Undecidable(f"{self.name} returned {type(found).__name__}, which is no array")
        return dict.fromkeys(self.results, found)

    def call(self, fields: Mapping[str, Any], claim: Claim | None) -> str:
        """A call of the function."""
        del claim
        arguments = ", ".join(
            f"{parameter}={literal(fields[name])}" for name, parameter in self._names.items()
        )
        module, name = self._function.__module__, self._function.__qualname__
        if "<" in name:  # it has no name that could be imported
            return f"import numpy as np; {self._function.__name__}({arguments})"
        start = f"import numpy as np; from {module} import {name.partition('.')[0]}"
        return f"{start}; {name}({arguments})"


@dataclass
class Judge:
    """Checks cases by the plan that every check goes through.

    Attributes:
        subject: What computes the results.
        claim: What is to hold of them.
        admitted: Cases so far that the preconditions admit.
        is_telling: Whether other results would have failed for one of them; a claim that holds
            for any result proves nothing.
    """

    subject: Subject
    claim: Claim
    admitted: int = 0
    is_telling: bool = False
    _before: Plan = field(init=False)
    _after: Plan = field(init=False)
    _goal: Plan = field(init=False)

    def __post_init__(self) -> None:
        results = self.subject.results
        early = [c for c in self.claim.assumed if not c.predicate.fields & results]
        late = [c for c in self.claim.assumed if c.predicate.fields & results]
        self._before = compile_plan([(c.predicate.node, c.tolerance) for c in early])
        self._after = compile_plan([(c.predicate.node, c.tolerance) for c in late])
        self._goal = compile_plan([(node, tol) for node, tol, _ in self.claim.predicates])

    def admits(self, fields: Fields) -> bool:
        """Whether the preconditions that speak of inputs hold."""
        return holds(self._before, fields)

    def violation(self, fields: Fields) -> str:
        """Why the claim fails for a case; "" where it holds, or the case is not admitted."""
        if not self.admits(fields):
            return ""
        results = self.subject.compute(fields)
        given = {**fields, **results}
        if not holds(self._after, given):
            return ""
        self.admitted += 1
        if not self.is_telling and self.admitted <= _MAX_TRIES:
            self.is_telling = any(
                self.failure({**given, name: other})
                for name, value in results.items()
                for other in self._others(value)
            )
        return self.failure(given)

    def failure(self, given: Fields) -> str:
        """Why the claim fails for these fields; "" where it holds."""
        try:
            failures = first_failures(self._goal.run(given))
        except MeasureError as error:
            return str(error)
        return failures[0].text if failures else ""

    def counterexample(self, fields: Fields) -> str:
        """A case that fails, as text to paste."""
        results = self.subject.compute(fields)
        why = self.failure({**fields, **results})
        unseen = {k: v for k, v in fields.items() if k not in self.claim.fields}
        shown = ", ".join(f"{k} = {short(v)}" for k, v in {**unseen, **results}.items())
        text = f"{self.subject.call(fields, self.claim)}  # {shown}"
        return f"{text}; obligation {self.claim.obligation!r} violated: {one_line(why)}"

    def _others(self, value: Any) -> list[Any]:
        """Results that are certainly not this one, in what the claim looks at.

        NaN fails every comparison, and another shape most of them, so they tell nothing of a
        claim that does not ask for them.
        """
        nodes = [node for tree, _, _ in self.claim.predicates for node in walk(tree)]
        calls = {node.function for node in nodes if isinstance(node, Call)}
        array = np.asarray(value)
        wide = array.astype(np.float64)
        with np.errstate(all="ignore"):
            found = [wide + 1, wide - 1, -3 * wide, wide + 1e9, wide - 1e9]
        if array.ndim and array.shape[-1] > 1:
            found.append(np.roll(wide, 1, axis=-1))
        if calls & {"isfinite", "isnan", "isinf"} or Number(np.inf) in nodes:
            found += [np.full(array.shape, special) for special in (np.nan, np.inf, -np.inf)]
        if calls & {"shape", "len", "size", "ndim"}:
            found += [np.zeros((*array.shape, 7)), np.zeros((7, *array.shape))]
        if calls & {"itemsize", "dtype"}:
            found.append(np.zeros(array.shape, np.int8))
        return found


def holds(plan: Plan, fields: Fields) -> bool:
    """Whether all conditions of a plan hold; not where they cannot be measured."""
    try:
        return not plan.run(fields).failed
    except MeasureError:
        return False


def is_numeric(value: Any) -> bool:
    """Whether it is a number or an array of numbers."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except (TypeError, ValueError):
        return False


def _wide(value: Any) -> Any:
    """Floats of any width as float64."""
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def literal(value: Any) -> str:
    """Source text of a value."""
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(array.item())
    return f"np.array({_nested(array.tolist())}, np.{array.dtype.name})"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested(item) for item in value)}]"
    return _number(value)


def _number(value: Any) -> str:
    text = repr(value)
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(text, text)


def short(value: Any) -> str:
    """A result on one line."""
    return one_line(np.array2string(np.asarray(value), threshold=12, precision=6))


def one_line(text: str) -> str:
    """Without line breaks, which would end the comment that it stands in."""
    return " ".join(text.split())
