"""Which core measures, and why. No other module asks."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

from tracepact.errors import ConfigError

CORE_VARIABLE = "TRACEPACT_CORE"
"""Environment variable: `auto` (default), `native` (never falls back) or `python`."""


class CoreChoice(NamedTuple):
    """The core in use and the reason, as `tracepact doctor` shows them."""

    name: str
    reason: str


@cache
def selected_core() -> CoreChoice:
    """The core that serves this process.

    Raises:
        ConfigError: The variable names an unknown core, or one that this build does not have.
    """
    wanted = os.environ.get(CORE_VARIABLE) or "auto"
    if wanted == "python":
        return CoreChoice("python", f"{CORE_VARIABLE}=python")
    if wanted == "auto":
        return CoreChoice("python", "this build has no native core")
    if wanted == "native":
        raise ConfigError(
            f"{CORE_VARIABLE}=native: this build has no native core; use auto or python"
        )
    raise ConfigError(f"{CORE_VARIABLE}={wanted!r} is not a core; use auto, native or python")
