"""The guard for setuptools, in projects whose pyproject.toml has a table `[tool.tracepact]`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tracepact.build_hook.settings import is_guarded

if TYPE_CHECKING:
    from setuptools import Distribution

_NAME = "build_contracts"


def finalize(distribution: Distribution) -> None:
    """Entry point: let `build` of this project begin with the command `build_contracts`.

    Called in every build with setuptools where tracepact is installed. Projects without
    `[tool.tracepact]` are left as they are; for them one file is read and no library imported.
    """
    if not is_guarded(Path()):
        return
    build = distribution.get_command_class("build")
    if any(name == _NAME for name, _ in build.sub_commands):
        return
    command = import_module("tracepact.build_hook.command").build_contracts
    distribution.cmdclass[_NAME] = command
    distribution.cmdclass["build"] = type(
        "build", (build,), {"sub_commands": [(_NAME, None), *build.sub_commands]}
    )
