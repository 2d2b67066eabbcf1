"""What a target is, and what it is given to write down."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracepact.codegen.prelude import helper_names
from tracepact.codegen.quoting import Names, identifier, unbroken
from tracepact.contracts import Condition, Contract, ContractRegistry, Problem
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError
from tracepact.predicate.ast import Call, Name, Node, children, unparse
from tracepact.predicate.lower import TOLERANCE

RESULT = "ret"
_USED = ("Any", "abs", "float", "int", "np")
"""Names that the source of every target uses, beside those of the helpers."""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of module; each module of `targets` has one, called `TARGET`.

    Attributes:
        checked_by: Who checks, for the header.
        imports: Import statements, sorted.
        reserved: Names that the source uses, so that no field may have them.
        has_old: Whether it can look at a field as it was before the call.
        write: Yields top-level statements, without the helpers that they call.
    """

    checked_by: str
    imports: Sequence[str]
    reserved: frozenset[str]
    has_old: bool
    write: Callable[[Module], Iterator[str]]


@dataclass(slots=True)
class EquationSource:
    """One equation on its way into Python.

    Attributes:
        name: As the contract has it.
        identifier: As part of Python names.
        entry: What can be checked before the function runs.
        exit: What needs the result, or is said of it.
        comments: Clauses that are not checked, and why.
    """

    name: str
    identifier: str
    entry: list[Condition] = field(default_factory=list)
    exit: list[Condition] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


class Module:
    """What a target writes down.

    Attributes:
        contract: The contract.
        equations: Those to export.
        dropped: Clauses that are not checked.
        notes: Clauses that are checked otherwise than written.
        names: Parameters and local variables.
        functions: Functions that the target defines.
    """

    def __init__(
        self,
        registry: ContractRegistry,
        contract: str,
        target: Target,
        equations: Sequence[str],
        bind: Mapping[str, str],
    ) -> None:
        known = registry.contracts.get(contract)
        wanted = list(dict.fromkeys(equations)) or (list(known.equations) if known else [""])
        for name in wanted:
            registry.equation(contract, name)  # refuses unknown ones
        self.contract: Contract = registry.contracts[contract]
        self.dropped: list[Problem] = []
        self.notes: list[Problem] = []
        reserved = [*helper_names(), *_USED, *target.reserved]
        self.names, self.functions = Names(reserved), Names(reserved)
        self._registry = registry
        self._bind = bind
        keys = [key for name in wanted for key in fields_of(self._conditions(name))]
        _check_bind(bind, keys)
        for key in keys:
            self.field(key)
        for name, parameter in bind.items():
            if self.field(name) != parameter:
                raise ConfigError(
                    f"bind: {name!r} cannot be {parameter!r}, which the module needs itself; "
                    f"name another parameter, or {RESULT!r} if it is the result"
                )
        self.equations = [self._equation(name, target) for name in wanted]

    def field(self, key: str) -> str:
        """The local name of a field or of `old(x)`."""
        old = "old_" if key.startswith("old(") else ""
        return self.names.of(key, old + self._bind.get(_plain(key), _plain(key)))

    def is_result(self, key: str) -> bool:
        """Whether a field is what the function returns."""
        return self._bind.get(key, key) == RESULT

    def _conditions(self, equation: str) -> list[Condition]:
        stem = self.contract.stem
        before = self._registry.preconditions(stem, equation) or ()
        return [*before, *(self._registry.postconditions(stem, equation) or ())]

    def _equation(self, name: str, target: Target) -> EquationSource:
        found = EquationSource(name, identifier(name))
        for problem in self._registry.unusable(self.contract.stem, name):
            self._drop(found, problem)
        for condition in self._conditions(name):
            looks_back = any(key.startswith("old(") for key in condition.predicate.fields)
            if looks_back and not target.has_old:
                message = f"{condition.expression!r} looks back with old(…)"
                hint = f"{target.checked_by} keeps nothing from before the call"
                self._drop(found, Problem(condition.location, message, hint))
            elif condition.kind == "postcondition":
                found.exit.append(condition)
            elif looks_back or any(map(self.is_result, condition.predicate.fields)):
                message = f"{condition.expression!r} is a precondition that looks at the result"
                note = Problem(condition.location, message, "it is checked when the function ends")
                self.notes.append(note)
                found.exit.append(condition)
            else:
                found.entry.append(condition)
        return found

    def _drop(self, equation: EquationSource, problem: Problem) -> None:
        self.dropped.append(problem)
        equation.comments.append(f"# Not checked: {unbroken(_placed(problem))}")


def _check_bind(bind: Mapping[str, str], keys: Sequence[str]) -> None:
    known = sorted({_plain(key) for key in keys})
    parameters = [bind.get(name, name) for name in known]
    for name, parameter in bind.items():
        if name not in known:
            raise ConfigError(f"bind: no field {name!r}; {did_you_mean(name, known)}")
        if not parameter.isidentifier() or keyword.iskeyword(parameter):
            raise ConfigError(f"bind: {name!r} cannot be {parameter!r}; name a parameter")
        if parameters.count(parameter) > 1:
            raise ConfigError(f"bind: two fields would be {parameter!r}; bind the other one too")


def _plain(key: str) -> str:
    return key.removeprefix("old(").removesuffix(")")


def fields_of(conditions: Sequence[Condition]) -> list[str]:
    """Fields and `old(x)` in order of appearance, the result last."""
    found: dict[str, None] = {}

    def visit(node: Node) -> None:
        match node:
            case Call("old"):
                found[unparse(node)] = None
            case Name(name) if name != TOLERANCE:
                found[name] = None
            case _:
                for child in children(node):
                    visit(child)

    for condition in conditions:
        visit(condition.predicate.node)
    return sorted(found, key=lambda key: key == RESULT)


def _placed(problem: Problem) -> str:
    return Path(problem.location.file).name + str(problem).removeprefix(problem.location.file)
