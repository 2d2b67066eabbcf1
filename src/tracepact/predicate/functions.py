"""The closed list of functions that a predicate may call.

`ELEMENTWISE` functions keep the shape of their arguments, `REDUCTION`s turn a whole array into one
number, `ROWS` reduce along the last axis, and `META` functions ask about a field, not its elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np


class FunctionKind(Enum):
    """How a function changes the shape of what it is given."""

    ELEMENTWISE = auto()
    REDUCTION = auto()
    ROWS = auto()
    META = auto()


@dataclass(frozen=True, slots=True)
class Function:
    """One function: how many arguments it takes, what it does to shapes, whether it is a truth."""

    kind: FunctionKind
    minimum: int = 1
    maximum: int = 1
    is_truth: bool = False
    compute: Callable[..., Any] | None = None


def _fold(pairwise: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def compute(first: Any, *rest: Any) -> Any:
        for value in rest:
            first = pairwise(first, value)
        return first

    return compute


def _elementwise(
    compute: Callable[..., Any], arguments: int = 1, *, truth: bool = False
) -> Function:
    return Function(FunctionKind.ELEMENTWISE, arguments, arguments, truth, compute)


_MANY = 8
_ROWS = FunctionKind.ROWS
_REDUCTION = FunctionKind.REDUCTION
_META = FunctionKind.META

FUNCTIONS: dict[str, Function] = {
    "abs": _elementwise(abs),
    "sqrt": _elementwise(np.sqrt),
    "exp": _elementwise(np.exp),
    "log": _elementwise(np.log),
    "floor": _elementwise(np.floor),
    "ceil": _elementwise(np.ceil),
    "round": _elementwise(np.rint),
    "sign": _elementwise(np.sign),
    "isfinite": _elementwise(np.isfinite, truth=True),
    "isnan": _elementwise(np.isnan, truth=True),
    "isinf": _elementwise(np.isinf, truth=True),
    "where": _elementwise(np.where, 3),
    # With one argument these two reduce; with more they compare element by element.
    "min": Function(_REDUCTION, 1, _MANY, compute=_fold(np.minimum)),
    "max": Function(_REDUCTION, 1, _MANY, compute=_fold(np.maximum)),
    "sum": Function(_REDUCTION),
    "mean": Function(_REDUCTION),
    "std": Function(_REDUCTION),
    "norm": Function(_REDUCTION),
    "all": Function(_REDUCTION, is_truth=True),
    "any": Function(_REDUCTION, is_truth=True),
    "count": Function(_REDUCTION),
    "argmax": Function(_REDUCTION),
    "argmin": Function(_REDUCTION),
    "row_sums": Function(_ROWS),
    "row_norms": Function(_ROWS),
    "row_min": Function(_ROWS),
    "row_max": Function(_ROWS),
    "row_argmax": Function(_ROWS),
    "row_dots": Function(_ROWS, 2, 2),
    "len": Function(_META),
    "size": Function(_META),
    "ndim": Function(_META),
    "itemsize": Function(_META),
    "dtype": Function(_META),
    "shape": Function(_META, 1, 2),
    "old": Function(_META),
}
"""Every function by name. `close(a, b, t)` is rewritten by the dialects and is not in the list."""


def is_elementwise(name: str, argument_count: int) -> bool:
    """Whether a call keeps the shape of its arguments."""
    function = FUNCTIONS[name]
    return function.kind is FunctionKind.ELEMENTWISE or (
        name in ("min", "max") and argument_count > 1
    )
