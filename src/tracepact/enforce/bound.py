"""What the binding file says about a function that carries a decorator."""

from __future__ import annotations

from typing import Any

from tracepact.bindings import bindings_of
from tracepact.enforce.shared import module_of, name_of
from tracepact.errors import ConfigError


def refuse_unimplemented(function: Any, contract: str, equation: str) -> None:
    """A function is not decorated with an equation that its binding calls not implemented.

    The entry of the function counts; where it has none, those of the equation, if all of them say
    so. A package without a binding file says nothing.

    Raises:
        ConfigError: The binding says `not_implemented`; names the entry's place.
    """
    module, name = module_of(function), name_of(function)
    entries = bindings_of(module).get(contract, equation)
    own = [e for e in entries if (e.module_path, e.function) == (module, name)]
    missing = [e for e in own or entries if e.status == "not_implemented"]
    if missing and len(missing) == len(own or entries):
        raise ConfigError(
            f"{missing[0].location}: the binding of {contract}/{equation} says not_implemented, "
            f"but {module}.{name} is decorated with it; change its status to implemented, partial "
            f"or pending, or remove the decorator"
        )
