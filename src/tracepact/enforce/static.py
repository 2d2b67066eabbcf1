"""Decorators and bindings held against the source, without running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import Condition, ContractRegistry, Problem
from tracepact.contracts.problem_log import did_you_mean
from tracepact.enforce.functions import Decoration, SourceFunction
from tracepact.enforce.names import RESULT, fields_of, resolve_names
from tracepact.errors import ConfigError


def check_sources(
    functions: Sequence[SourceFunction], bindings: Bindings, registry: ContractRegistry
) -> list[Problem]:
    """What a decorator would refuse at import, and what lacks one.

    Args:
        functions: As `functions.read_functions` finds them.
        bindings: May be empty; entries of modules that are not among `functions` are left out.
        registry: Contracts that the decorators name.

    Returns:
        Unknown contracts and equations, names in conditions that are no parameters, functions that
        are bound or look like an equation but are not decorated, and bound functions that are not
        there; each with file, line and column, in the order of `functions`.
    """
    found = [
        problem
        for function in functions
        for decoration in function.decorations
        for problem in _decoration(function, decoration, registry)
    ]
    found += _bound(functions, bindings)
    found += _lookalikes(functions, bindings, registry)
    return found


def implements(function: SourceFunction, registry: ContractRegistry) -> tuple[str, str] | None:
    """The equation that a function has the name of, if it has the parameters for it too."""
    for stem, contract in registry.contracts.items():
        if function.name in contract.equations and function.qualname == function.name:
            fields = fields_of(*_conditions(registry, stem, function.name)) - {RESULT}
            if fields and fields <= set(function.parameters):
                return stem, function.name
    return None


def _decoration(
    function: SourceFunction, decoration: Decoration, registry: ContractRegistry
) -> Iterator[Problem]:
    stem, equation, places = decoration.contract, decoration.equation, decoration.places
    if stem is None:
        return
    contract = registry.contracts.get(stem)
    if contract is None:
        hint = did_you_mean(stem, registry.contracts)
        yield Problem(places["contract"], f"unknown contract {stem!r}", hint)
        return
    if equation is None:
        return
    if equation not in contract.equations:
        hint = did_you_mean(equation, contract.equations)
        yield Problem(places["equation"], f"contract {stem!r} has no equation {equation!r}", hint)
    elif decoration.bind is not None:
        known = [*function.parameters, RESULT]
        conditions = _conditions(registry, stem, equation)
        try:
            resolve_names(conditions, function.call, known, decoration.bind)
        except ConfigError as error:
            for line in str(error).splitlines():
                yield Problem(places[""], line)


def _conditions(registry: ContractRegistry, stem: str, equation: str) -> tuple[Condition, ...]:
    before = registry.preconditions(stem, equation) or ()
    return (*before, *(registry.postconditions(stem, equation) or ()))


def _bound(functions: Sequence[SourceFunction], bindings: Bindings) -> Iterator[Problem]:
    modules: dict[str, dict[str, SourceFunction]] = {}
    for function in functions:
        modules.setdefault(function.module, {})[function.qualname] = function
    for entry in bindings.entries:
        if entry.module_path not in modules or entry.status not in ("implemented", "partial"):
            continue
        known = modules[entry.module_path]
        bound = known.get(entry.function)
        if bound is None:
            read = [name for name, function in known.items() if function.signature]
            hint = did_you_mean(entry.function, read)
            what = f"{entry.qualname} is called {entry.status}, but is not there"
            yield Problem(entry.location, what, hint)
        elif not _carries(bound, entry):
            hint = f'write @contract("{entry.contract}", "{entry.equation}") above it'
            what = f"{bound.qualname} is bound to {entry.contract}/{entry.equation}, undecorated"
            yield Problem(bound.location, what, hint)


def _carries(function: SourceFunction, entry: Binding) -> bool:
    """Whether a decorator of it is, or may be, that of the entry."""
    return any(
        each.contract in (None, entry.contract) and each.equation in (None, entry.equation)
        for each in function.decorations
    )


def _lookalikes(
    functions: Iterable[SourceFunction], bindings: Bindings, registry: ContractRegistry
) -> Iterator[Problem]:
    bound = {(entry.module_path, entry.function) for entry in bindings.entries}
    for function in functions:
        if function.decorations or (function.module, function.qualname) in bound:
            continue
        equation = implements(function, registry)
        if equation is not None:
            hint = f'write @contract("{equation[0]}", "{equation[1]}") above it, or bind it'
            what = f"{function.call} has name and parameters of {'/'.join(equation)}, undecorated"
            yield Problem(function.location, what, hint)
