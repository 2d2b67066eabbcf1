"""Conditions as statements: what prepares tolerances and fields, and what is claimed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tracepact.codegen._base import Module, fields_of
from tracepact.codegen.expression import expression
from tracepact.codegen.layout import call
from tracepact.contracts import Condition
from tracepact.predicate.ast import Call, Name, walk
from tracepact.predicate.lower import TOLERANCE, Lowering, Tolerance, conjuncts


def message(condition: Condition) -> str:
    """What a failure says: equation, property, condition, and where the contract states it."""
    told = f"{condition.contract}/{condition.equation}: "
    if condition.obligation != condition.expression:
        told += f"{condition.obligation}: "
    return f"{told}{condition.expression} [{_place(condition.location)}]"


def statements(
    module: Module, conditions: Sequence[Condition], raw: Callable[[str], str], indent: int
) -> tuple[list[str], list[list[str]]]:
    """Python for conditions that are checked in one function.

    Args:
        module: Gives the names.
        conditions: The conditions.
        raw: Where the function finds a field (or `old(x)`) as it was handed in.
        indent: Of every line.

    Returns:
        Lines that prepare tolerances and fields, and the claims of each condition.
    """
    dtypes: dict[str, None] = {}
    tolerances: list[str] = []
    claims = []
    names = {key: module.field(key) for key in fields_of(conditions)}
    for condition in conditions:
        node = condition.predicate.node
        for part in walk(node):
            match part:
                case Call("dtype" | "itemsize", (Name(name),)):
                    dtypes[name] = None
                    names[f"dtype({name})"] = module.names.of(f"dtype({name})", f"{name}_dtype")
        step = _tolerance(condition)
        if step is not None:
            arguments = [repr(step.base), *map(raw, step.fields)]
            arguments += ["rows=True"] * step.sums_rows + ["whole=True"] * step.sums_all
            source = f"_tolerance({', '.join(arguments)})"
            if source not in tolerances:
                tolerances.append(source)
            names[TOLERANCE] = _numbered(module, tolerances.index(source))
        claims.append([expression(part, names) for part in conjuncts(node)])
    margin = " " * indent
    lines = [
        f"{margin}{_numbered(module, index)} = {source}" for index, source in enumerate(tolerances)
    ]
    lines += [f"{margin}{names[f'dtype({name})']} = _dtype({raw(name)})" for name in dtypes]
    for key in fields_of(conditions):
        lines.append(f"{margin}{names[key]} = _field({raw(key)})")
    return lines, claims


def predicate_body(
    module: Module, condition: Condition, raw: Callable[[str], str]
) -> Iterator[str]:
    """Lines of a function that tells whether one condition holds."""
    yield '    with np.errstate(all="ignore"):'
    lines, (claims,) = statements(module, [condition], raw, 8)
    yield from lines
    yield from call("return _holds", claims, indent=8)


def _tolerance(condition: Condition) -> Tolerance | None:
    lowering = Lowering()
    lowering.add(0, condition.predicate.node, condition.tolerance)
    return next((step for step in lowering.steps if isinstance(step, Tolerance)), None)


def _numbered(module: Module, index: int) -> str:
    return module.names.of(f"tol {index}", f"tol_{index + 1}" if index else TOLERANCE)


def _place(location: object) -> str:
    return Path(str(location)).name
