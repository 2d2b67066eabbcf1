"""`@contract`: a function whose every call is checked against its contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from tracepact.contracts import Condition
from tracepact.enforce.bound import refuse_unimplemented
from tracepact.enforce.enforced import ATTRIBUTE, Enforced, enforced
from tracepact.enforce.items import verify_items, wrap_items
from tracepact.enforce.names import RESULT, fields_of, resolve_names
from tracepact.enforce.shared import (
    Decorated,
    call_of,
    is_off,
    layer_with,
    on_function,
    signature_of,
    unchanged,
)
from tracepact.enforce.stage import Stages, make_stage
from tracepact.enforce.wrap import wrap
from tracepact.tracing import ContractTracingLayer


def contract(
    contract: str,
    equation: str,
    *,
    bind: Mapping[str, str] | None = None,
    layer: ContractTracingLayer | None = None,
    items: bool = False,
) -> Callable[[Decorated], Decorated]:
    """Check every call of a function against an equation.

    Preconditions are checked before the body (under the policy `raise` it does not run where one
    fails), postconditions behind it. Parameters are the fields of their names, `ret` is the result.
    A precondition that looks at `ret` is checked with the postconditions. Where a parameter that
    is None by default is None, conditions on it are not checked. Works on functions, methods, class
    methods, static methods, coroutines, and with `items` on generators.

    Under `python -O`, and where the policy is off when the function is defined, the function itself
    is returned before any contract is read, and nothing is left to pay.

    Args:
        contract: Stem of the contract.
        equation: Name of the equation.
        bind: Parameter by name in the predicates, where the two differ: `{"x": "logits"}`. A result
            that is written into a parameter is `{"ret": "out"}`.
        layer: Checks and reports; by default one that decorators share, over the contracts in
            `TRACEPACT_CONTRACTS` and those that ship with tracepact.
        items: The function is a generator (or an asynchronous one): each item that it yields is
            `ret`. What is sent, thrown and returned passes through.

    Returns:
        A decorator. What it returns has the type, signature, documentation and attributes of the
        function, is pickled by reference, and says in `__tracepact__` what it is checked against.

    Raises:
        ConfigError: There is no such contract or equation, or a condition looks at a name that is
            no parameter, the function's binding says `not_implemented`, or `items` does not fit;
            says where, and what is near.

    With the native core a call with a scalar condition costs some tens of nanoseconds.
    """
    if is_off(layer):
        return unchanged
    module = sys._getframe(1).f_globals.get("__name__", "")
    used = layer_with(contract, module) if layer is None else layer
    used.registry.equation(contract, equation)
    used.note_unusable(contract, equation)
    renamed = dict(bind or {})

    def checked(function: Any) -> Any:
        verify_items(function, items)
        refuse_unimplemented(function, contract, equation)
        signature = signature_of(function)
        before = used.registry.preconditions(contract, equation) or ()
        after = used.registry.postconditions(contract, equation) or ()
        known = [*signature.parameters, RESULT]
        call = call_of(function, signature)
        sources = resolve_names([*before, *after], call, known, renamed)
        early = [c for c in before if not _looks_at_result(c, sources)]
        late = [*(c for c in before if _looks_at_result(c, sources)), *after]
        stages = Stages(
            signature,
            *(
                make_stage(used, contract, equation, each, sources, signature)
                for each in (early, late)
            ),
        )
        wrapper = wrap_items(function, stages) if items else wrap(function, stages)
        setattr(wrapper, ATTRIBUTE, (*enforced(function), Enforced(contract, equation, renamed)))
        return wrapper

    def decorate(target: Decorated) -> Decorated:
        wrapped: Decorated = on_function(target, checked, "contract")
        return wrapped

    return decorate


def _looks_at_result(condition: Condition, sources: Mapping[str, str]) -> bool:
    fields = fields_of(condition)
    return RESULT in fields or any(sources[name] == RESULT for name in fields)
