"""`@contract`: a function whose every call is checked against its contract."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ParamSpec, TypeVar

from tracepact.contracts import ContractRegistry
from tracepact.core import native_core
from tracepact.errors import ConfigError
from tracepact.tracing import ContractTracingLayer, Site

CONTRACTS_VARIABLE = "TRACEPACT_CONTRACTS"
"""Environment variable: folder of the contracts that decorators use; otherwise the shipped ones."""

RESULT = "ret"

_MAX_PARAMETERS = 16
_P = ParamSpec("_P")
_R = TypeVar("_R")


def contract(
    contract: str, equation: str, *, layer: ContractTracingLayer | None = None
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Check every call of a function against the postconditions of an equation.

    Parameters are the fields of their names, `ret` is the result. Where the policy is off when the
    function is defined, the function itself is returned, and nothing is left to pay.

    Args:
        contract: Stem of the contract.
        equation: Name of the equation.
        layer: Checks and reports; by default one layer that all decorators share, over the shipped
            contracts or those in `TRACEPACT_CONTRACTS`.

    Raises:
        ConfigError: There is no such contract or equation, a condition looks at a name that is no
            parameter, or the function is a generator, whose result is not a value.

    With the native core a call with a scalar condition costs some tens of nanoseconds.
    """
    used = _shared_layer() if layer is None else layer
    site = used.site(contract, equation)

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        if not used.is_on:
            return function
        signature = inspect.signature(function)
        _verify(function, signature, site)
        if inspect.iscoroutinefunction(function):
            wrapped: Callable[_P, _R] = _checked_coroutine(function, signature, site)
            return wrapped
        native = native_core()
        if native is None or site.copied or len(signature.parameters) > _MAX_PARAMETERS:
            return _checked(function, signature, site)
        look = functools.partial(_look, signature, site)
        parameters = tuple(map(_described, signature.parameters.values()))
        wrapper: Callable[_P, _R] = native.Checked(function, site, look, parameters)
        return functools.update_wrapper(wrapper, function)

    return decorate


@cache
def _shared_layer() -> ContractTracingLayer:
    folder = os.environ.get(CONTRACTS_VARIABLE)
    registry = ContractRegistry.load(folder) if folder else ContractRegistry.builtin()
    return ContractTracingLayer(registry)


def _verify(function: Callable[..., Any], signature: inspect.Signature, site: Site) -> None:
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{name} is a generator; check each item with a site of its own")
    fields = {field.removeprefix("old(").removesuffix(")") for field in site.fields}
    missing = sorted(fields - {RESULT} - signature.parameters.keys())
    if missing:
        raise ConfigError(
            f"{site.contract}/{site.equation} looks at {', '.join(map(repr, missing))}, but "
            f"{name}{signature} has no such parameter; rename it, or check with a site"
        )


def _described(parameter: inspect.Parameter) -> tuple[str, bool, bool, bool, Any]:
    by_position = parameter.kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    by_name = parameter.kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    has_default = parameter.default is not inspect.Parameter.empty
    default = parameter.default if has_default else None
    return parameter.name, by_position, by_name, has_default, default


def _fields(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}  # the function itself will say so
    bound.apply_defaults()
    return dict(bound.arguments)


def _look(
    signature: inspect.Signature,
    site: Site,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    ret: Any,
) -> None:
    """Check a call that was admitted and that the native core does not pass."""
    site._check_admitted({**_fields(signature, args, kwargs), RESULT: ret}, site.context)


def _checked(
    function: Callable[_P, _R], signature: inspect.Signature, site: Site
) -> Callable[_P, _R]:
    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if site.copied:
            with site(**_fields(signature, args, kwargs)) as span:
                ret = function(*args, **kwargs)
                span.record(ret=ret)
        else:
            ret = function(*args, **kwargs)
            if site.tracing_layer.admits(site):
                _look(signature, site, args, kwargs, ret)
        return ret

    return wrapper


def _checked_coroutine(function: Any, signature: inspect.Signature, site: Site) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with site(**_fields(signature, args, kwargs)) as span:
            ret = await function(*args, **kwargs)
            span.record(ret=ret)
        return ret

    return wrapper
