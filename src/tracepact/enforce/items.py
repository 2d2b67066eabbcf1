"""Generators whose every item is checked; what is sent, thrown and returned passes through."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any

from tracepact.enforce.shared import name_of
from tracepact.enforce.stage import Stages
from tracepact.errors import ConfigError


def is_generator(function: Any) -> bool:
    """Whether calls of a function yield items, in a `for` or an `async for` loop."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def verify_items(function: Any, items: bool) -> None:
    """See that `items` is passed for generators, and for nothing else.

    Raises:
        ConfigError: It is not; says what to do.
    """
    if items and not is_generator(function):
        raise ConfigError(f"{name_of(function)} is no generator; leave items=True out")
    if is_generator(function) and not items:
        raise ConfigError(
            f"{name_of(function)} is a generator, whose result is no value; pass items=True to "
            "check each item that it yields"
        )


def wrap_items(function: Any, stages: Stages) -> Any:
    """A generator function that checks preconditions when it starts, then each item as `ret`.

    Sampling decides about each item by itself.
    """
    if inspect.isasyncgenfunction(function):
        return _async_items(function, stages)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        check = _check_of_items(stages, args, kwargs)
        return (yield from _Items(function(*args, **kwargs), check))

    return wrapper


def _check_of_items(
    stages: Stages, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Callable[[Any], None]:
    entry, leaving = stages.entry, stages.exit
    given = stages.enter(args, kwargs, check=entry is not None and entry.admits())

    def check(item: Any) -> None:
        if leaving is not None and leaving.admits():
            stages.leave(given, item)

    return check


class _Items(Generator[Any, Any, Any]):
    """A generator, and a check of what it yields."""

    def __init__(self, inner: Generator[Any, Any, Any], check: Callable[[Any], None]) -> None:
        self._inner = inner
        self._check = check

    def send(self, value: Any) -> Any:
        """The next item."""
        return self._checked(self._inner.send(value))

    def throw(self, *exception: Any) -> Any:
        """The item that the generator answers an exception with."""
        return self._checked(self._inner.throw(*exception))

    def close(self) -> None:
        """End the generator."""
        self._inner.close()

    def _checked(self, item: Any) -> Any:
        try:
            self._check(item)
        except BaseException:  # the policy says `raise`, and nobody asks for a further item
            self._inner.close()
            raise
        return item


def _async_items(function: Any, stages: Stages) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        check = _check_of_items(stages, args, kwargs)
        inner = function(*args, **kwargs)
        step = inner.__anext__()
        try:
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                check(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    raise  # the generator is closed below
                except BaseException as error:
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)
        finally:
            await inner.aclose()

    return wrapper
