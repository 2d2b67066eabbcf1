"""Plain assertions: functions that static and symbolic tools read, gone under `python -O`.

Each returns True, so that `assert check_…(…)` takes its own call away as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracepact.codegen._base import Module, Target, fields_of
from tracepact.codegen.layout import call, literal
from tracepact.codegen.quoting import docstring
from tracepact.codegen.statements import message, statements
from tracepact.contracts import Condition


def _write(module: Module) -> Iterator[str]:
    for equation in module.equations:
        comments = equation.comments
        for word, conditions in (("requires", equation.entry), ("ensures", equation.exit)):
            if conditions:
                name = f"check_{equation.identifier}_{word}"
                name = module.functions.of(f"{word} {equation.name}", name)
                yield "\n".join([*comments, *_function(name, word, module, conditions)])
                comments = []
        if comments:
            yield "\n".join(comments)


def _function(
    name: str, word: str, module: Module, conditions: Sequence[Condition]
) -> Iterator[str]:
    parameters = [f"{module.field(key)}: Any" for key in fields_of(conditions)]
    yield from call(f"def {name}", ["*", *parameters][: 2 * len(parameters)], tail=" -> bool:")
    yield f"    {docstring(f'Assert what {conditions[0].equation} {word}.')}"
    lines, claims = statements(module, conditions, module.field, 8)
    yield '    with np.errstate(all="ignore"):'
    yield from lines
    for condition, parts in zip(conditions, claims, strict=True):
        tail = f", {literal(message(condition), indent=8)}"
        yield from call("assert _holds", parts, indent=8, tail=tail)
    yield "    return True"


TARGET = Target(
    checked_by="plain assertions",
    imports=("from typing import Any", "", "import numpy as np"),
    reserved=frozenset(),
    has_old=True,
    write=_write,
)
