"""Never run, only type-checked: a decorated function keeps its type.

`mypy --strict` reads this file, and pyright where it is installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import assert_type

import tracepact as tp


@tp.contract("softmax-kernel-v1", "softmax", bind={"x": "logits"})
def plain(logits: list[float], scale: float = 1.0, *, name: str = "") -> list[float]:
    return logits


@tp.contract("softmax-kernel-v1", "softmax")
async def later(x: list[float]) -> list[float]:
    return x


@tp.contract("softmax-kernel-v1", "softmax", items=True)
def items(x: list[float]) -> Generator[float, int, str]:
    yield from x
    return ""


@tp.contract("softmax-kernel-v1", "softmax", items=True)
async def async_items(x: list[float]) -> AsyncIterator[float]:
    yield x[0]


class Model:
    @tp.contract("softmax-kernel-v1", "softmax")
    def method(self, x: list[float]) -> list[float]:
        return x

    @classmethod
    @tp.contract("softmax-kernel-v1", "softmax")
    def below_class_method(cls, x: list[float]) -> list[float]:
        return x

    @tp.contract("softmax-kernel-v1", "softmax")
    @classmethod
    def above_class_method(cls, x: list[float]) -> list[float]:
        return x

    @staticmethod
    @tp.contract("softmax-kernel-v1", "softmax")
    def below_static_method(x: list[float]) -> list[float]:
        return x

    @tp.contract("softmax-kernel-v1", "softmax")
    @staticmethod
    def above_static_method(x: list[float]) -> list[float]:
        return x


async def uses(model: Model) -> None:
    assert_type(plain([1.0]), list[float])
    assert_type(plain([1.0], scale=2.0, name="n"), list[float])
    assert_type(await later([1.0]), list[float])
    assert_type(items([1.0]), Generator[float, int, str])
    assert_type(async_items([1.0]), AsyncIterator[float])
    assert_type(model.method([1.0]), list[float])
    assert_type(Model.below_class_method([1.0]), list[float])
    assert_type(model.above_class_method([1.0]), list[float])
    assert_type(Model.below_static_method([1.0]), list[float])
    assert_type(model.above_static_method([1.0]), list[float])


def mistakes(model: Model) -> None:
    """Each of these must stay an error: an unused ignore is one too."""
    plain("text")  # type: ignore[arg-type]
    plain([1.0], other=1)  # type: ignore[call-arg]
    model.method()  # type: ignore[call-arg]
    tp.contract("softmax-kernel-v1")  # type: ignore[call-arg]
    tp.contract("softmax-kernel-v1", "softmax", bind="x")  # type: ignore[arg-type]
    tp.contract("softmax-kernel-v1", "softmax")(3)  # type: ignore[type-var]


@tp.requires("x > 0", lambda x: x > 0)
@tp.ensures("abs(ret) <= tol", lambda ret, x: ret >= x, tol=1e-6)
def stated(x: int) -> int:
    return x


@tp.ensures("ret > 0", items=True)
def stated_items(x: int) -> Generator[int, None, None]:
    yield x


@tp.invariant("size > 0", lambda self: self.size > 0)
class Watched:
    def __init__(self, size: int) -> None:
        self.size = size


def uses_stated() -> None:
    assert_type(stated(1), int)
    assert_type(stated_items(1), Generator[int, None, None])
    assert_type(Watched(1), Watched)
    assert_type(Watched(1).size, int)


def stated_mistakes() -> None:
    stated("text")  # type: ignore[arg-type]
    Watched()  # type: ignore[call-arg]
    tp.requires(1)  # type: ignore[arg-type]
    tp.invariant("size > 0")(3)  # type: ignore[type-var]
