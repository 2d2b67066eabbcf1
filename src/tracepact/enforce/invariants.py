"""`@invariant`: what holds of an object whenever nobody is inside one of its methods."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from types import ClassMethodDescriptorType
from typing import Any, TypeVar

from tracepact.contracts import Condition
from tracepact.enforce.claims import claim_site
from tracepact.enforce.items import is_generator
from tracepact.enforce.names import fields_of
from tracepact.enforce.shared import is_off, shared_layer
from tracepact.enforce.stated import Stated, compile_stated, split
from tracepact.errors import ConfigError
from tracepact.tracing import ContractTracingLayer, Site

_Class = TypeVar("_Class", bound=type)

SELF = "self"

_CHECKS = "__tracepact_invariants__"
"""Of a class: its own checks."""
_SPECIAL = frozenset(
    """
    __init__ __setstate__ __call__ __next__ __enter__ __exit__ __aenter__ __aexit__
    __setitem__ __delitem__ __iadd__ __isub__ __imul__ __imatmul__ __itruediv__ __ifloordiv__
    __imod__ __ipow__ __ilshift__ __irshift__ __iand__ __ixor__ __ior__
    """.split()  # noqa: SIM905 - as a list it takes a line each
)
"""Methods with special names that are called from outside and may change an object."""

_inside: ContextVar[tuple[list[Any], ...]] = ContextVar("tracepact_inside", default=())
"""Lists of the object that this thread or task is inside of, where an invariant need not hold.

A task takes those of its maker along; each is empty when the method that made it has returned.
"""


def invariant(
    *conditions: Stated, tol: float | None = None, layer: ContractTracingLayer | None = None
) -> Callable[[_Class], _Class]:
    """Check conditions on the objects of a class: after `__init__` and after every public method.

    Names are attributes. Public are methods without a leading underscore, setters and deleters of
    properties, and special methods that change an object, such as `__setitem__`; inherited ones
    too. A method that calls another one is checked once, when the outer one returns; one that
    raises is not. Static and class methods and generators are left alone, and what a subclass adds
    is checked where the subclass is decorated too.

    Violations have the module as contract, the name of the class as equation and the kind
    `invariant`. Off as `contract` is: the class is returned as it is.

    Args:
        *conditions: Predicates over attributes (`"size <= capacity"`), or functions of `self` or of
            attributes (`lambda self: self.size <= self.capacity`).
        tol: What `tol` stands for in predicates, before scaling by dtype and row length.
        layer: Checks and reports; by default the one that all decorators share.

    Raises:
        ConfigError: A predicate cannot be understood or asks for `old(…)`, or it is put on no
            class.

    About a microsecond a call of a method.
    """
    if is_off(layer):
        return lambda target: target
    used = shared_layer() if layer is None else layer
    compiled = compile_stated("invariant", "invariant", conditions, tol)
    _refuse_old(compiled)

    def decorate(target: _Class) -> _Class:
        if not isinstance(target, type):
            raise ConfigError(f"{target!r} is no class; use @requires and @ensures on functions")
        owner = target.__module__, target.__qualname__
        stated = [replace(each, contract=owner[0], equation=owner[1]) for each in compiled]
        predicates, claims = split(stated)
        sites = [used.site_over(*owner, predicates)] if predicates else []
        sites += [claim_site(used, *owner, claims)] if claims else []
        checks = [functools.partial(_check, site, fields_of(*site.conditions)) for site in sites]
        setattr(target, _CHECKS, (*vars(target).get(_CHECKS, ()), *checks))
        for name, member in list(_members(target)):
            watched = _watched(member)
            if watched is not member:
                setattr(target, name, watched)
        return target

    return decorate


def _refuse_old(conditions: Sequence[Condition]) -> None:
    for condition in conditions:
        if any(field.startswith("old(") for field in condition.predicate.fields):
            raise ConfigError(
                f"{condition.location}: {condition.expression!r}: an invariant is about one "
                "moment, so there is no old value; compare with old(…) in @ensures of a method"
            )


def _members(target: type) -> Iterator[tuple[str, Any]]:
    """What has a public name, as it stands in the class that defines it."""
    seen: set[str] = set()
    for owner in target.__mro__[:-1]:
        for name, member in vars(owner).items():
            if name not in seen and (name in _SPECIAL or not name.startswith("_")):
                yield name, member
            seen.add(name)


def _watched(member: Any) -> Any:
    if isinstance(member, property):
        if member.fset:
            member = member.setter(_method(member.fset))
        return member.deleter(_method(member.fdel)) if member.fdel else member
    if inspect.isclass(member) or is_generator(member) or not callable(member):
        return member
    # A function, one of a built-in base, or one that is decorated.
    is_method = inspect.isfunction(member) or inspect.ismethoddescriptor(member)
    # Class methods and static methods are no such descriptors of instances.
    is_method &= not isinstance(member, classmethod | ClassMethodDescriptorType | staticmethod)
    return _method(member) if is_method else member


def _method(function: Any) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            if _is_inside(self):
                return await function(self, *args, **kwargs)
            visit = [self]
            token = _inside.set((*_inside.get(), visit))
            try:
                ret = await function(self, *args, **kwargs)
                _check_all(self)
            finally:
                visit.clear()
                _inside.reset(token)
            return ret

    else:

        @functools.wraps(function)
        def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            if _is_inside(self):
                return function(self, *args, **kwargs)
            visit = [self]
            token = _inside.set((*_inside.get(), visit))
            try:
                ret = function(self, *args, **kwargs)
                _check_all(self)  # what conditions ask of the object may call its methods
            finally:
                visit.clear()
                _inside.reset(token)
            return ret

    for name in dir(function):  # such as `cache_info` of a cached method
        if not name.startswith("_") and not hasattr(method, name):
            setattr(method, name, getattr(function, name))
    return method


def _is_inside(instance: Any) -> bool:
    return any(each is instance for visit in _inside.get() for each in visit)


def _check_all(instance: Any) -> None:
    """Check the invariants of the class and of all its bases."""
    for owner in reversed(type(instance).__mro__):
        for check in vars(owner).get(_CHECKS, ()):
            check(instance)


def _check(site: Site, names: frozenset[str], instance: Any) -> None:
    layer = site.tracing_layer
    if not layer.admits(site):
        return
    fields = {}
    for name in names:
        try:
            fields[name] = instance if name == SELF else getattr(instance, name)
        except AttributeError:
            continue  # the site says that it is missing
        except Exception as error:
            layer.fault(f"attribute {name!r} for {site.contract}/{site.equation}", error)
    site._check_admitted(fields, site.context)
