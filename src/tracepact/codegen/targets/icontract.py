"""icontract: a decorator for each equation, made of `require`, `ensure` and `snapshot`."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.codegen import decorators
from tracepact.codegen._base import EquationSource, Module, Target, fields_of
from tracepact.codegen.quoting import quoted


def _parameter(module: Module, key: str) -> str:
    if module.is_result(key):
        return "result"
    return "OLD" if key.startswith("old(") else module.field(key)


def _raw(module: Module, equation: EquationSource, key: str) -> str:
    if key.startswith("old("):
        return f"OLD.{_snapshot(module, equation, key)}"
    return _parameter(module, key)


def _snapshot(module: Module, equation: EquationSource, key: str) -> str:
    """Unique among all decorators that a function may have from this module."""
    return module.names.of(f"{equation.name} {key}", f"{equation.identifier}_{module.field(key)}")


def _snapshots(module: Module, equation: EquationSource) -> Iterator[list[str]]:
    for key in fields_of(equation.exit):
        if key.startswith("old("):
            field = module.field(key.removeprefix("old(").removesuffix(")"))
            name = quoted(_snapshot(module, equation, key))
            yield ["icontract.snapshot", f"lambda {field}: _copy({field})", f"name={name}"]


_STYLE = decorators.Style("icontract.require", "icontract.ensure", "", _parameter, _raw, _snapshots)

TARGET = Target(
    checked_by="icontract",
    imports=(*decorators.IMPORTS, "import icontract", "import numpy as np"),
    reserved=decorators.RESERVED | {"icontract", "result", "OLD", "_ARGS", "_KWARGS"},
    has_old=True,
    write=lambda module: decorators.write(module, _STYLE),
)
