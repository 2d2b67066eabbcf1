"""The claim of an obligation about a function, tried on inputs."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracepact.contracts import Condition
from tracepact.contracts.model import Obligation
from tracepact.enforce.names import RESULT
from tracepact.predicate import PredicateError, parse_formula
from tracepact.predicate.ast import Node
from tracepact.predicate.evaluate import compile_node
from tracepact.testing.inputs import CannotTestError, Inputs
from tracepact.testing.subjects import Subject
from tracepact.tracing import Site, Violation


@dataclass(frozen=True, slots=True)
class Step:
    """One result that is computed.

    Attributes:
        name: Field that it becomes.
        function: What is called.
        imported: Where the function is from, `module:name`.
        names: Parameter by field, where the two differ.
        arguments: Expressions by field; other inputs are handed on as they are.
        is_mirrored: The last axis is reversed, of the arguments and of the result.
    """

    name: str
    function: Callable[..., Any]
    imported: str
    names: Mapping[str, str]
    arguments: Mapping[str, str]
    is_mirrored: bool = False

    def takes(self, name: str) -> bool:
        """Whether the function has a parameter for a field."""
        parameters = inspect.signature(self.function).parameters
        wanted = self.names.get(name, name)
        return wanted in parameters and parameters[wanted].kind not in _MANY


_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class BrokenError(AssertionError):
    """The claim does not hold for some input.

    Attributes:
        inputs: By field, as they were before the call.
        violation: What was found; None where the function raised.
    """

    def __init__(self, inputs: Mapping[str, Any], violation: Violation | None) -> None:
        super().__init__("" if violation is None else violation.message)
        self.inputs = inputs
        self.violation = violation


@dataclass(slots=True, kw_only=True)
class Claim:
    """An obligation, the calls that it is about and how their inputs are made.

    Attributes:
        subject: The function and the equation.
        obligation: What is claimed.
        condition: The predicate that is tested: `formal`, or what its type says.
        is_formal: Whether it is the contract's own.
        inputs: How inputs are made.
        steps: Calls, in their order.
        results: Other names of the result.
        before: Checks what holds of inputs.
        after: Checks the claim, and what the contract presumes of results.
        rejected: How often each precondition refused an input.
        tried: Inputs that were tested.
        can_fail: Whether any result would have been refused: a claim that holds for nonsense as
            well says nothing about the function.
    """

    subject: Subject
    obligation: Obligation
    condition: Condition
    is_formal: bool
    inputs: Inputs
    steps: Sequence[Step]
    results: Sequence[str]
    before: Site
    after: Site
    rejected: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    can_fail: bool = False

    def admits(self, inputs: Mapping[str, Any]) -> bool:
        """Whether inputs meet the preconditions."""
        for violation in _examined(self.before, _with_old(inputs)):
            self.rejected[violation.expression] += 1
            return False
        return True

    def try_on(self, inputs: Mapping[str, Any]) -> None:
        """Call the function and hold what comes out to the claim.

        Args:
            inputs: By field; they are copied for every call.

        Raises:
            BrokenError: The claim does not hold, or the function raised.
        """
        self.tried += 1
        kept = {name: copied(value) for name, value in inputs.items()}
        found: dict[str, Any] = {}
        with np.errstate(all="ignore"):
            try:
                for step in self.steps:
                    found[step.name] = self._result(step, kept, found)
            except CannotTestError:
                raise
            except Exception as error:
                raise BrokenError(kept, None) from error
        found |= {name: found[RESULT] for name in self.results if RESULT in found}
        for violation in _examined(self.after, {**_with_old(kept), **found}):
            if violation.verdict == "unbound":
                raise CannotTestError(f"no strategy gives what it needs: {violation.explanation}")
            raise BrokenError(kept, violation)
        if not self.can_fail:
            nonsense = {step.name: _nonsense(found[step.name]) for step in self.steps}
            nonsense |= dict.fromkeys(self.results, nonsense[RESULT])
            refused = _examined(self.after, {**_with_old(kept), **nonsense})
            self.can_fail = any(v.expression == self.condition.expression for v in refused)

    def _result(self, step: Step, inputs: Mapping[str, Any], found: dict[str, Any]) -> Any:
        fields = {**found, **inputs}
        given = {name: copied(value) for name, value in inputs.items() if step.takes(name)}
        for name, text in step.arguments.items():
            value = evaluated(text, fields, inputs.get(name))
            given[name] = np.ascontiguousarray(value[..., ::-1]) if step.is_mirrored else value
        result = call(step.function, {step.names.get(n, n): value for n, value in given.items()})
        if step.name == RESULT:  # what it writes into its parameters is seen by conditions
            found |= given
        return result[..., ::-1] if step.is_mirrored else result


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call by keyword wherever that is possible; `self` comes first."""
    args: list[Any] = []
    kwargs = dict(given)
    for name, parameter in inspect.signature(function).parameters.items():
        if name in kwargs and (parameter.kind is parameter.POSITIONAL_ONLY or name == "self"):
            args.append(kwargs.pop(name))
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise CannotTestError(f"no strategy gives what the function takes: {error}") from None
    return function(*args, **kwargs)


def expression(text: str) -> Node:
    """An argument of a call in a contract, as `x + c`.

    Raises:
        CannotTestError: It is no expression.
    """
    try:
        return parse_formula(f"argument = {text}").node
    except PredicateError as error:
        message = f"the domain calls with {text!r}, which cannot be computed: {error.reason}"
        raise CannotTestError(message) from None


def evaluated(text: str, fields: Mapping[str, Any], like: Any) -> Any:
    """Value of an argument; of the dtype of the input that it stands for."""
    if text in fields:
        return copied(fields[text])
    values = {
        name: np.asarray(value, np.float64) if isinstance(value, np.ndarray) else value
        for name, value in fields.items()
    }
    try:
        value = compile_node(expression(text))([], values)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        message = f"the domain calls with {text!r}, which cannot be computed"
        raise CannotTestError(message) from error
    return np.asarray(value).astype(like.dtype) if isinstance(like, np.ndarray) else value


def copied(value: Any) -> Any:
    """A copy of an array; other inputs are not written to."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _examined(site: Site, fields: Mapping[str, Any]) -> list[Violation]:
    """What a site finds; a fault of ours, which a site only counts, is no pass."""
    violations = site.examine(fields)
    for fault in site.tracing_layer.faults:
        raise CannotTestError(f"tracepact could not evaluate it: {fault}")
    return violations


def _nonsense(result: Any) -> Any:
    """What no function should return: of another shape and dtype, and NaN."""
    return np.full((2, *np.shape(result)), np.nan)


def _with_old(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, **{f"old({name})": value for name, value in fields.items()}}
