"""Functions, coroutines and generators whose calls are checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracepact.core import native_core
from tracepact.enforce.claims import Claim
from tracepact.enforce.names import RESULT, plain
from tracepact.enforce.stage import Stage, Stages

if TYPE_CHECKING:
    from tracepact.core import _native

_MAX_PARAMETERS = 16
_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def wrap(function: Any, stages: Stages) -> Any:
    """A function that checks what goes into another and what comes out of it."""
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, stages)
    native = native_core()
    if native is None or not _is_plain(stages, native.Site):
        return _plain(function, stages)
    parameters = tuple(map(_described, stages.signature.parameters.values()))
    places = {name: place for place, name in enumerate(stages.signature.parameters)}
    entry = _native_stage(places, stages.entry)
    leaving = _native_stage({**places, RESULT: -1}, stages.exit)
    return functools.update_wrapper(native.Checked(function, parameters, entry, leaving), function)


def _is_plain(stages: Stages, native_site: type) -> bool:
    """Whether C can check: it finds every value by its place, and needs no copy of it."""
    parameters = stages.signature.parameters
    many = {name for name, each in parameters.items() if each.kind in _MANY}
    return len(parameters) <= _MAX_PARAMETERS and all(
        # A layer that was made under the Python core stays with it.
        isinstance(stage.site, native_site)
        and not (stage is stages.exit and stage.site.copied)
        and many.isdisjoint(stage.sources.values())
        for stage in (stages.entry, stages.exit)
        if stage is not None
    )


def _described(parameter: inspect.Parameter) -> tuple[str, int, bool, Any]:
    has_default = parameter.default is not inspect.Parameter.empty
    default = parameter.default if has_default else None
    return parameter.name, int(parameter.kind), has_default, default


def _native_stage(places: Mapping[str, int], stage: Stage | None) -> _native.Stage | None:
    """What C is told of a stage: places are those of parameters, -1 is the result."""
    if stage is None:
        return None
    fields = [(name, places[at]) for name, at in stage.sources.items()]
    fields += [(f"old({name})", places[stage.sources[name]]) for name in stage.site.copied]
    claims = tuple(
        (claim.function, tuple(places[stage.sources[name]] for name in claim.names))
        for claim in stage.site.conditions
        if isinstance(claim, Claim)
    )
    optional = {places[stage.sources[name]] for name in map(plain, stage.site.optional)}
    return stage.site, tuple(fields), claims, stage.bare, tuple(sorted(optional))


def _plain(function: Any, stages: Stages) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not stages.admits():
            return function(*args, **kwargs)
        given = stages.enter(args, kwargs)
        ret = function(*args, **kwargs)
        stages.leave(given, ret)
        return ret

    return wrapper


def _coroutine(function: Any, stages: Stages) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not stages.admits():
            return await function(*args, **kwargs)
        given = stages.enter(args, kwargs)
        ret = await function(*args, **kwargs)
        stages.leave(given, ret)
        return ret

    return wrapper
