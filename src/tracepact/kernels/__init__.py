"""Plain NumPy kernels for the shipped contracts: what other people's kernels are compared with.

Each is the equation as the contract writes it, and nothing else: no blocking, no caching, no fast
path. Parameters are named as the contract's fields, and each function carries its contract, so that
the library is enforced on real code. Which function stands for which equation is in `binding.yaml`.

Numbers are widened to float64, computed there, and rounded once to the type of the input.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from tracepact.bindings import load_bindings

__all__ = ["reference"]

_BINDINGS: Final = Path(__file__).parents[1] / "binding.yaml"


def reference(contract: str, equation: str) -> Callable[..., Any] | None:
    """The kernel of this package for an equation of a shipped contract.

    Args:
        contract: Stem, for example `softmax-kernel-v1`.
        equation: Name of the equation.

    Returns:
        A function whose parameters are the contract's fields; those that only a check reads
        (`reference`, `column_sums`, …) are optional and ignored. None where an equation has no
        kernel: it may be about measured values, or there may be no such equation.

    The module is imported when it is asked for; the table is read once.
    """
    place = _table().get((contract, equation))
    if place is None:
        return None
    module, function = place
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


@cache
def _table() -> dict[tuple[str, str], tuple[str, str]]:
    """Module and function by contract and equation; the first binding to this package counts."""
    table: dict[tuple[str, str], tuple[str, str]] = {}
    for entry in load_bindings(_BINDINGS).entries:
        if entry.module_path.startswith(f"{__name__}."):
            place = (entry.module_path, entry.function)
            table.setdefault((entry.contract, entry.equation), place)
    return table
