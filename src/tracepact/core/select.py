"""Which core measures, and why. No other module asks."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

from tracepact.errors import ConfigError

CORE_VARIABLE = "TRACEPACT_CORE"
"""Environment variable: `auto` (default), `native` (never falls back) or `python`."""

_logger = logging.getLogger("tracepact")


class CoreChoice(NamedTuple):
    """The core in use and the reason, as `tracepact doctor` shows them."""

    name: str
    reason: str


_forced: list[CoreChoice] = []


def selected_core() -> CoreChoice:
    """The core that serves what is made from now on.

    Raises:
        ConfigError: The variable names an unknown core, or one that this build does not have.
    """
    return _forced[-1] if _forced else _from_environment()


def native_core() -> ModuleType | None:
    """The extension module, if the native core is the selected one."""
    return _extension() if selected_core().name == "native" else None


@contextmanager
def using_core(name: str) -> Iterator[None]:
    """Make another core serve what is made inside the block, to compare the two.

    Args:
        name: `native` or `python`. Sites and plans stay with the core that they were made under.

    Raises:
        ConfigError: There is no such core.
    """
    _forced.append(_chosen(name, f"using_core({name!r})"))
    try:
        yield
    finally:
        _forced.pop()


@cache
def _from_environment() -> CoreChoice:
    wanted = os.environ.get(CORE_VARIABLE) or "auto"
    if wanted != "auto":
        return _chosen(wanted, f"{CORE_VARIABLE}={wanted}")
    if _extension() is not None:
        return CoreChoice("native", "the extension of this build loads")
    choice = CoreChoice("python", f"the native core cannot be loaded: {_load_error()}")
    _logger.warning("tracepact: the Python core serves, which is slower; %s", choice.reason)
    return choice


def _chosen(name: str, reason: str) -> CoreChoice:
    if name == "native" and _extension() is None:
        raise ConfigError(
            f"{reason}: the native core cannot be loaded: {_load_error()}; "
            "install tracepact where a C compiler is found, or use auto or python"
        )
    if name not in ("native", "python"):
        raise ConfigError(f"{reason}: no such core; use auto, native or python")
    return CoreChoice(name, reason)


@cache
def _load() -> ModuleType | ImportError:
    try:
        from tracepact.core import _native  # noqa: PLC0415 - it may not be there
    except ImportError as error:
        return error
    return _native


def _extension() -> ModuleType | None:
    loaded = _load()
    return loaded if isinstance(loaded, ModuleType) else None


def _load_error() -> str:
    if find_spec("tracepact.core._native") is None:
        return "it was not built when tracepact was installed"
    return str(_load())
