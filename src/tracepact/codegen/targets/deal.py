"""deal: a decorator for each equation, made of `pre` and `ensure`. It has no old values."""

from __future__ import annotations

from tracepact.codegen import decorators
from tracepact.codegen._base import EquationSource, Module, Target
from tracepact.codegen.quoting import quoted


def _raw(module: Module, equation: EquationSource, key: str) -> str:
    # By key: as an attribute, a field called `values` or `keys` would be the method of a dict.
    return f"_[{quoted('result' if module.is_result(key) else module.field(key))}]"


_STYLE = decorators.Style("deal.pre", "deal.ensure", "message=", lambda module, key: "_", _raw)

TARGET = Target(
    checked_by="deal",
    imports=(*decorators.IMPORTS, "import deal", "import numpy as np"),
    reserved=decorators.RESERVED | {"deal", "result", "_"},
    has_old=False,
    write=lambda module: decorators.write(module, _STYLE),
)
