"""Other functions that compute the same equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracepact.contracts import ContractRegistry
from tracepact.enforce.enforced import unchecked
from tracepact.enforce.verify import import_bound
from tracepact.kernels import reference
from tracepact.testing.subjects import Subject


def find_reference(subject: Subject) -> tuple[str, Callable[..., Any]] | None:
    """What a function is compared with, as `module:name` and callable; None where there is none.

    For a contract that ships with tracepact that is its reference kernel, else another function
    that is bound to the same equation.
    """
    own = subject.binding
    if subject.registry is ContractRegistry.builtin():
        kernel = reference(own.contract, own.equation)
        if kernel is not None:
            name = f"{kernel.__module__}:{kernel.__qualname__}"
            return None if name == own.qualname else (name, unchecked(kernel))
    for entry in subject.bindings.get(own.contract, own.equation):
        if entry.qualname != own.qualname and entry.status in ("implemented", "partial"):
            function = import_bound(entry, subject.bindings.target)
            if function is not None:
                return entry.qualname, unchecked(function)
    return None
