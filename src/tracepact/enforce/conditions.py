"""`@requires` and `@ensures`: contracts that stand beside the function instead of in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tracepact.contracts.conditions import ConditionKind
from tracepact.enforce.claims import claim_site
from tracepact.enforce.items import is_generator, verify_items, wrap_items
from tracepact.enforce.names import RESULT, fields_of, resolve_names
from tracepact.enforce.shared import (
    Decorated,
    call_of,
    is_off,
    module_of,
    name_of,
    on_function,
    shared_layer,
    signature_of,
    unchanged,
)
from tracepact.enforce.stage import Stage, Stages, make_stage
from tracepact.enforce.stated import Stated, compile_stated, split
from tracepact.enforce.wrap import wrap
from tracepact.tracing import ContractTracingLayer


def requires(
    *conditions: Stated, tol: float | None = None, layer: ContractTracingLayer | None = None
) -> Callable[[Decorated], Decorated]:
    """Check conditions before every call of a function.

    Violations have the module as contract, the qualified name of the function as equation and the
    condition as obligation. Off as `contract` is: under `python -O` and the policy `off` the
    function itself is returned.

    Args:
        *conditions: Predicates as in contracts (`"n > 0"`), or functions whose parameters are
            names of parameters (`lambda n: n > 0`). An error that one raises is a verdict.
        tol: What `tol` stands for in predicates, before scaling by dtype and row length.
        layer: Checks and reports; by default the one that all decorators share.

    Raises:
        ConfigError: A predicate cannot be understood, or looks at a name that is no parameter.

    With the native core a scalar predicate costs some nanoseconds, a function some more than a call
    of it.
    """
    return _decorator("requires", conditions, tol, layer, items=False)


def ensures(
    *conditions: Stated,
    tol: float | None = None,
    layer: ContractTracingLayer | None = None,
    items: bool = False,
) -> Callable[[Decorated], Decorated]:
    """Check conditions behind every call of a function; `ret` is the result.

    Args:
        *conditions: As for `requires`. Predicates may compare with `old(x)`, the value at entry.
        tol: As for `requires`.
        layer: As for `requires`.
        items: The function is a generator; each item that it yields is `ret`.

    Raises:
        ConfigError: As for `requires`, or `items` does not fit.
    """
    return _decorator("ensures", conditions, tol, layer, items=items)


def _decorator(
    name: str,
    stated: Sequence[Stated],
    tolerance: float | None,
    layer: ContractTracingLayer | None,
    *,
    items: bool,
) -> Callable[[Decorated], Decorated]:
    if is_off(layer):
        return unchanged
    used = shared_layer() if layer is None else layer
    kind: ConditionKind = "precondition" if name == "requires" else "postcondition"
    compiled = compile_stated(name, kind, stated, tolerance)

    at_entry = kind == "precondition"

    def checked(function: Any) -> Any:
        if not at_entry:
            verify_items(function, items)
        owner = module_of(function), name_of(function)
        conditions = [replace(each, contract=owner[0], equation=owner[1]) for each in compiled]
        signature = signature_of(function)
        known = [*signature.parameters, *(() if at_entry else (RESULT,))]
        sources = resolve_names(conditions, call_of(function, signature), known)
        predicates, claims = split(conditions)
        found = [make_stage(used, *owner, predicates, sources, signature)]
        if claims:
            names = fields_of(*claims)
            site = claim_site(used, *owner, claims)
            found.append(Stage(site, {name: sources[name] for name in names}))
        wraps = wrap_items if is_generator(function) else wrap
        # The outermost wrapper comes first before the call, and last behind it.
        for stage in reversed(found) if at_entry else found:
            if stage is not None:
                ends = (stage, None) if at_entry else (None, stage)
                function = wraps(function, Stages(signature, *ends))
        return function

    def decorate(target: Decorated) -> Decorated:
        wrapped: Decorated = on_function(target, checked, name)
        return wrapped

    return decorate
