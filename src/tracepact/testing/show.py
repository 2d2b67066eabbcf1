"""A refuted claim in words: the input, the obligation, what was measured, how to see it again."""

from __future__ import annotations

import shutil
import textwrap
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tracepact.enforce.names import RESULT, plain
from tracepact.testing.claim import BrokenError, Claim, Step

_PACKAGE = str(Path(__file__).parent)


def show_failure(claim: Claim, error: BrokenError) -> str:
    """Several lines for people; the last part runs as it is pasted."""
    obligation, binding = claim.obligation, claim.subject.binding
    lines = [
        f"{binding.qualname} breaks {claim.subject.contract.stem}/{claim.subject.equation.name}",
        "",
        *_fact("obligation", f"{obligation.property} ({obligation.type})"),
        *_fact("formal", obligation.formal),
        *([] if claim.is_formal else _fact("tested as", claim.condition.expression)),
        *_fact("at", str(obligation.location)),
        *(line for name, text in _found(error) for line in _fact(name, text)),
    ]
    for test in claim.subject.tests:
        if test.rule == obligation.property and test.if_fails:
            lines += _fact("if it fails", test.if_fails)
    lines += ["", "  smallest input found:"]
    lines += [f"    {name} = {_python(value)}" for name, value in error.inputs.items()]
    code = (f"    {line}".rstrip() for line in snippet(claim, error))
    return "\n".join([*lines, "", "  to see it again:", *code])


def _fact(name: str, text: str) -> list[str]:
    """A fact in a column of its own."""
    width = max(60, shutil.get_terminal_size().columns - 16)
    plain = "".join(each if each.isprintable() else " " for each in text)
    rows = textwrap.wrap(plain, width, break_long_words=False, break_on_hyphens=False)
    return [f"  {name if row is rows[0] else '':<11} {row}" for row in rows]


def _found(error: BrokenError) -> Iterator[tuple[str, str]]:
    if error.violation is not None:
        yield "found", error.violation.explanation
        return
    cause = error.__cause__
    assert cause is not None
    yield "found", f"the function raised {type(cause).__name__}: {cause}"
    frames = [f for f in traceback.extract_tb(cause.__traceback__) if not _is_ours(f.filename)]
    yield from (("in", f"{frame.filename}:{frame.lineno} {frame.line}") for frame in frames[:1])


def _is_ours(file: str) -> bool:
    return file.startswith(_PACKAGE)


def snippet(claim: Claim, error: BrokenError) -> list[str]:
    """Lines of Python that call the function once more and measure again."""
    objects = [name for name, value in error.inputs.items() if not _is_plain(value)]
    if objects:
        return [
            f"# {', '.join(objects)}: made by the strategy of {claim.subject.contract.stem}/"
            f"{claim.subject.called.name}"
        ]
    lines = ["import numpy as np"]
    if any(_dtype_of(value) == "bfloat16" for value in error.inputs.values()):
        lines.append("import ml_dtypes")
    for step in claim.steps:
        module, _, name = step.imported.partition(":")
        line = f"from {module} import {name.partition('.')[0]}"
        if line not in lines:
            lines.append(line)
    used = claim.condition
    if error.violation is not None:
        lines.append("from tracepact import parse_predicate")
    lines.append("")
    lines += [f"{name} = {_python(value)}" for name, value in error.inputs.items()]
    lines += [_call_line(step, error.inputs) for step in claim.steps]
    if error.violation is None:
        return lines
    violated = error.violation.expression
    tolerance = f"tol={used.tolerance!r}, " if "tol" in violated else ""
    given = ", ".join(f"{n}={_variable(n, claim)}" for n in sorted(_fields(claim, violated)))
    lines.append(f"print(parse_predicate({violated!r}).explain({tolerance}{given}))")
    return lines


def _variable(name: str, claim: Claim) -> str:
    """The variable of the snippet that has a field."""
    return RESULT if name in claim.results else plain(name)


def _fields(claim: Claim, expression: str) -> frozenset[str]:
    for each in claim.after.conditions:
        if each.expression == expression:
            return each.predicate.fields
    return frozenset()


def _call_line(step: Step, inputs: Mapping[str, Any]) -> str:
    arguments = []
    for name in dict.fromkeys((*inputs, *step.arguments)):
        if not step.takes(name):
            continue
        text = step.arguments.get(name, name)
        is_array = isinstance(inputs.get(name), np.ndarray)
        if not text.isidentifier():
            text = f"({text}).astype({name}.dtype)" if is_array else text
        elif is_array:
            text = f"{text}[..., ::-1].copy()" if step.is_mirrored else f"{text}.copy()"
        arguments.append(f"{step.names.get(name, name)}={text}")
    call = f"{step.imported.partition(':')[2]}({', '.join(arguments)})"
    return f"{step.name} = {call}" + ("[..., ::-1]" if step.is_mirrored else "")


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | np.ndarray | np.generic)


def _dtype_of(value: Any) -> str:
    return value.dtype.name if isinstance(value, np.ndarray) else ""


def _python(value: Any) -> str:
    """A value as Python that evaluates to it."""
    if isinstance(value, np.ndarray):
        dtype = value.dtype.name
        dtype = f"ml_dtypes.{dtype}" if dtype == "bfloat16" else f"np.{dtype}"
        first = value.flat[0] if value.size else None
        if value.size > 1 and value.size == np.count_nonzero(
            value.view(_bits(value)) == _bits_of(first)
        ):
            return f"np.full({value.shape}, {_number(first)}, {dtype})"
        return f"np.array({_nested(value)}, {dtype})"
    if isinstance(value, float | np.floating):
        return _number(value)
    return repr(value.item() if isinstance(value, np.generic) else value)


def _bits(value: np.ndarray[Any, Any]) -> str:
    return f"u{value.dtype.itemsize}"


def _bits_of(value: Any) -> Any:
    return np.asarray(value).view(_bits(np.asarray(value)))


def _nested(value: Any) -> str:
    if value.ndim == 0:
        return _number(value[()])
    return "[" + ", ".join(_nested(np.asarray(part)) for part in value) + "]"


def _number(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return "np.nan" if plain != plain else ("np.inf" if plain > 0 else "-np.inf")
    return str(value) if isinstance(value, np.float32 | np.float16) else repr(plain)
