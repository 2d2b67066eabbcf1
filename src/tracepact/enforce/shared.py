"""What all decorators share: the layer, whether they are off, and what they can be put on."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError
from tracepact.tracing import ContractTracingLayer, Mode, Policy

CONTRACTS_VARIABLE = "TRACEPACT_CONTRACTS"
"""Environment variable: folder of contracts that decorators use before the shipped ones."""

Decorated = TypeVar(
    "Decorated", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]"
)
"""A decorated function keeps its type."""


def is_off(layer: ContractTracingLayer | None) -> bool:
    """Whether decorators return what they are put on: `python -O`, or the policy `off`."""
    if not __debug__:
        return True
    mode = Policy.from_environment().mode if layer is None else layer.policy.mode
    return mode is Mode.OFF


def unchanged(target: Decorated) -> Decorated:
    """The decorator that is left when checks are off."""
    return target


@cache
def shared_layer() -> ContractTracingLayer:
    """The layer of all decorators that name none."""
    folder = os.environ.get(CONTRACTS_VARIABLE)
    registry = ContractRegistry.load(folder) if folder else ContractRegistry.builtin()
    return ContractTracingLayer(registry)


@cache
def _shipped_layer() -> ContractTracingLayer:
    return ContractTracingLayer(ContractRegistry.builtin())


def layer_with(contract: str, module: str) -> ContractTracingLayer:
    """The shared layer; where it lacks that contract, one over those that ship with tracepact.

    Decorators in a module of ours mean these, whatever contracts of the same name a user works on.
    """
    layer = shared_layer()
    shipped = ContractRegistry.builtin()
    if layer.registry is shipped:
        return layer
    is_own = module.partition(".")[0] == __name__.partition(".")[0]
    is_only_shipped = contract not in layer.registry.contracts and contract in shipped.contracts
    return _shipped_layer() if is_own or is_only_shipped else layer


def on_function(target: Any, wrap: Callable[[Any], Any], decorator: str) -> Any:
    """Wrap a function, or the one in a class method or static method.

    Raises:
        ConfigError: It is no function; says where the decorator belongs.
    """
    if isinstance(target, classmethod | staticmethod):
        return type(target)(wrap(target.__func__))
    if isinstance(target, type):
        raise ConfigError(f"{target.__qualname__} is a class; put @{decorator} on its methods")
    if not callable(target):
        raise ConfigError(
            f"a {type(target).__name__} is no function; put @{decorator} below the decorator "
            "that makes it"
        )
    return wrap(target)


def name_of(function: Any) -> str:
    """How messages call a function."""
    return getattr(function, "__qualname__", None) or repr(function)


def module_of(function: Any) -> str:
    """The module that defines a function."""
    return getattr(function, "__module__", None) or "?"


def signature_of(function: Any) -> inspect.Signature:
    """Its signature.

    Raises:
        ConfigError: It has none that can be read, as some functions made in C.
    """
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{name_of(function)} does not say what it takes ({error}); write a function around "
            "it, and decorate that one"
        ) from error


def call_of(function: Any, signature: inspect.Signature) -> str:
    """The same with its parameters."""
    return f"{name_of(function)}({', '.join(signature.parameters)})"
