"""Binding entries held against the functions themselves, which are imported for it."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import ContractRegistry, Problem
from tracepact.contracts.problem_log import quoted
from tracepact.enforce.enforced import enforced
from tracepact.enforce.names import RESULT, resolve_names
from tracepact.enforce.shared import call_of, is_off
from tracepact.errors import ConfigError


def verify_binding(entry: Binding, bindings: Bindings, registry: ContractRegistry) -> list[Problem]:
    """What an entry claims wrongly; empty where all of it is true.

    The contract and its equation exist; a function that is called implemented or partial exists,
    has the parameters that the conditions look at and those of `signature`, and carries the
    decorator. The module is imported, which runs it; modules outside of the package that
    `bindings.target` names are refused.

    Raises:
        ConfigError: Decorators are off in this process, so that nobody can tell.
    """
    if is_off(None):
        raise ConfigError("decorators are off; verify without python -O and TRACEPACT=off")
    return [Problem(entry.location, what, hint) for what, hint in _wrong(entry, bindings, registry)]


def _wrong(
    entry: Binding, bindings: Bindings, registry: ContractRegistry
) -> Iterator[tuple[str, str]]:
    try:
        registry.equation(entry.contract, entry.equation)
    except ConfigError as error:
        what, _, hint = str(error).partition("; ")
        yield what, hint
        return
    is_claimed = entry.status in ("implemented", "partial")
    try:
        function = import_bound(entry, bindings.target)
    except ConfigError as error:
        if is_claimed or not _is_absent(error.__cause__, entry.module_path):
            what, _, hint = str(error).partition("; ")
            yield what, hint
        return
    if function is None:
        if is_claimed:
            yield (
                f"{entry.qualname} is called {entry.status}, but is not there",
                "write it, or say pending",
            )
        return
    yield from _signature(entry, function, registry)
    carried = [(one.contract, one.equation) for one in enforced(function)]
    if is_claimed and (entry.contract, entry.equation) not in carried:
        decorator = f'@contract("{entry.contract}", "{entry.equation}")'
        yield f"{entry.qualname} is not decorated with its contract", f"write {decorator} above it"


def import_bound(entry: Binding, target: str) -> Any:
    """The function that an entry names; None where its module has none of that name.

    Raises:
        ConfigError: The module lies outside of the package `target`, or cannot be imported.
    """
    name = entry.module_path
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{quoted(name)} is no Python module; write package.module")
    if target and name.partition(".")[0] != target:
        raise ConfigError(
            f"{name} is outside of the package {target!r}; bind functions of the target only"
        )
    try:
        found: Any = importlib.import_module(name)
        for part in entry.function.split("."):
            found = getattr(found, part, None)
    except (Exception, SystemExit) as error:  # whatever the module does
        what = f"{type(error).__name__} {error}" if isinstance(error, SystemExit) else error
        raise ConfigError(f"{name} cannot be imported: {what}; correct it") from error
    return found if callable(found) else None


def _is_absent(error: BaseException | None, module: str) -> bool:
    """Whether an import failed because a module of a package that is there is still to come."""
    missing = (isinstance(error, ModuleNotFoundError) and error.name) or ""
    return "." in missing and f"{module}.".startswith(f"{missing}.")


def _signature(
    entry: Binding, function: Any, registry: ContractRegistry
) -> Iterator[tuple[str, str]]:
    try:
        signature = inspect.signature(getattr(function, "__func__", function))  # with `cls`
    except (TypeError, ValueError):
        return  # a function of an extension may not have one
    known = [*signature.parameters, RESULT]
    if not enforced(function):  # the decorator has looked at the names already
        before = registry.preconditions(entry.contract, entry.equation) or ()
        after = registry.postconditions(entry.contract, entry.equation) or ()
        try:
            resolve_names([*before, *after], call_of(function, signature), known, {})
        except ConfigError as error:
            for line in str(error).splitlines():
                yield line, ""
    if not entry.signature:
        return
    written = _parameters(entry.signature)
    actual = list(signature.parameters)
    if written is None:
        yield f"signature {quoted(entry.signature)} is not Python's", "write it as (x, *, eps=1e-5)"
    elif written != actual:
        what = f"signature names {', '.join(written) or 'no parameter'}"
        yield what, f"the function has {', '.join(actual) or 'none'}"


def _parameters(signature: str) -> list[str] | None:
    """Names of the parameters in the text of a signature, `def name` in front or not."""
    text = signature.strip().removeprefix("async ").removeprefix("def ").rstrip(":")
    text = text[text.find("(") :] if "(" in text else text
    try:
        (node,) = ast.parse(f"def f{text}: ...").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.FunctionDef):
        return None
    given = node.args
    names = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [each.arg for each in names if each is not None]
