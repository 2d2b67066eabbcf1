"""Whatever a function takes, and however it is called, both cores check the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.core import using_core
from tracepact.errors import ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.tracing import ContractTracingLayer, Policy


def plain(a: int, b: int) -> int:
    return a + b


def with_default(a: int, b: int = -1) -> int:
    return a + b


def only_position(a: int, b: int, /, **more: int) -> int:
    return a + b + len(more)


def only_keyword(a: int, *, b: int) -> int:
    return a + b


def keyword_default(*rest: int, a: int = 0, b: int) -> int:
    return a + b + len(rest)


def everything(a: int, /, b: int = -3, *rest: int, c: int = 1, **more: int) -> int:
    return a + b + c + sum(rest) + len(more)


def optional(a: int, c: int | None = None, b: int = 1, d: int | None = None) -> int:
    return a + b + (c or 0) + (d or 0)


FUNCTIONS = [plain, with_default, only_position, only_keyword, keyword_default, everything]
NUMBERS = st.integers(-2, 3)
VALUES = NUMBERS | st.none()
OPTIONAL = "c < 3", "d > c", "a + d != 0"


def outcome(
    function: Callable[..., Any], args: list[int], kwargs: dict[str, int], mode: Any
) -> tuple[Any, ...]:
    memory = MemoryExporter()
    layer = ContractTracingLayer(ContractRegistry(), [memory], Policy(mode=mode))
    ensured = tp.ensures("ret != 3", "ret >= b", lambda ret, b: ret + b != 4, layer=layer)
    required = tp.requires("a >= 0", "b != 0", lambda b, a: a != b, layer=layer)
    try:
        result: Any = required(ensured(function))(*args, **kwargs)
    except TypeError as error:
        # What holds of a call that is refused may be counted or not.
        return str(error), memory.violations, layer.faults
    except ContractViolation as error:
        result = str(error)
    found = [(v.kind, v.expression, v.measured, v.explanation) for v in memory.violations]
    return result, found, layer.checks, layer.violations, layer.faults


@given(
    st.sampled_from(FUNCTIONS),
    st.lists(NUMBERS, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), NUMBERS, max_size=3),
    st.sampled_from(["log", "raise"]),
)
def test_cores_agree_on_every_call(
    function: Callable[..., Any], args: list[int], kwargs: dict[str, int], mode: str
) -> None:
    with using_core("native"):
        native = outcome(function, args, kwargs, mode)
    with using_core("python"):
        assert outcome(function, args, kwargs, mode) == native


@given(NUMBERS, VALUES, VALUES, st.sampled_from(["log", "raise"]))
def test_cores_agree_where_parameters_are_left_out(
    a: int, c: int | None, d: int | None, mode: str
) -> None:
    def checked(function: Callable[..., Any]) -> tuple[Any, ...]:
        memory = MemoryExporter()
        layer = ContractTracingLayer(ContractRegistry(), [memory], Policy(mode=mode))
        required = tp.requires("a > -2", *OPTIONAL, layer=layer)
        ensured = tp.ensures("ret > old(c)", "ret != d", layer=layer)
        both = tp.ensures("ret != c", layer=layer)(required(ensured(function)))
        try:
            result: Any = both(a, c, d=d)
        except ContractViolation as error:
            result = str(error)
        found = [(v.expression, v.verdict, v.explanation) for v in memory.violations]
        return result, found, layer.checks, layer.faults

    with using_core("native"):
        native = checked(optional)
    with using_core("python"):
        assert checked(optional) == native
    assert {verdict for _, verdict, _ in native[1]} <= {"failed"}
    if c is None and d is None:
        assert native[2] == 1
