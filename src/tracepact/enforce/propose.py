"""Entries that a binding file could have: functions that seem to implement equations."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from tracepact.bindings import Bindings
from tracepact.contracts import ContractRegistry
from tracepact.enforce.functions import SourceFunction
from tracepact.enforce.static import implements


def propose_entries(
    functions: Sequence[SourceFunction], bindings: Bindings, registry: ContractRegistry
) -> list[dict[str, str]]:
    """An entry for each function that belongs to an unbound equation.

    A decorated function is proposed as implemented, one that only has the name and the parameters
    as pending: somebody has to look at it.
    """
    bound = {(entry.contract, entry.equation) for entry in bindings.entries}
    found = []
    for function in functions:
        carried = [
            (each.contract, each.equation)
            for each in function.decorations
            if each.contract is not None and each.equation is not None
        ]
        named = implements(function, registry)
        for stem, equation in carried or ([named] if named else []):
            contract = registry.contracts.get(stem)
            exists = contract is not None and equation in contract.equations
            if exists and (stem, equation) not in bound:
                found.append(
                    {
                        "contract": stem,
                        "equation": equation,
                        "module_path": function.module,
                        "function": function.qualname,
                        "signature": function.signature,
                        "status": "implemented" if carried else "pending",
                    }
                )
    return found


def render_entries(entries: Sequence[dict[str, str]]) -> str:
    """The entries as YAML that can be pasted below `bindings:`; empty for none."""
    if not entries:
        return ""
    text = yaml.safe_dump(list(entries), sort_keys=False, allow_unicode=True, width=1000)
    return "".join(f"  {line}\n" for line in text.splitlines())
