"""Which binding file belongs to a package."""

from __future__ import annotations

import os
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from tracepact.bindings.load import load_bindings
from tracepact.bindings.model import Bindings

BINDING_VARIABLE: Final = "TRACEPACT_BINDING"
"""Environment variable: the binding file, wherever packages have theirs."""

_NAMES: Final = ("binding.yaml", "binding.yml")
_PROJECT_LEVELS: Final = 2
"""A package lies in its project's folder, or in `src` below it."""


def find_binding_file(start: Path) -> Path | None:
    """The binding file of a package or project.

    Args:
        start: Folder of a top-level package, or of a project.

    In this order: what `TRACEPACT_BINDING` names; `binding.yaml` in the package; in the project's
    folder (the first of `start` and two above it that has a pyproject.toml) what `binding` of
    `[tool.tracepact]` names, else `binding.yaml`.
    """
    named = os.environ.get(BINDING_VARIABLE)
    if named:
        return Path(named)
    for folder in (start, *start.parents[:_PROJECT_LEVELS]):
        if (folder / "pyproject.toml").is_file():
            setting = tool_settings(folder).get("binding")
            return folder / setting if isinstance(setting, str) else _in(folder)
        if folder == start and (own := _in(folder)) is not None:
            return own
    return None


def binding_files(project: Path) -> list[Path]:
    """Binding files of a project: its own, and that of each package in it or in its `src`."""
    packages = [path.parent for path in project.glob("*/__init__.py")]
    packages += [path for path in (project / "src").glob("*") if path.is_dir()]
    found = (find_binding_file(folder) for folder in (project, *sorted(packages)))
    return list(dict.fromkeys(path for path in found if path is not None))


def bindings_of(module_name: str) -> Bindings:
    """The bindings of the top-level package that a module belongs to; read once for each."""
    package = sys.modules.get(module_name.partition(".")[0])
    file = getattr(package, "__file__", None)
    folders = list(getattr(package, "__path__", ()))
    folder = folders[0] if folders else os.path.dirname(file) if file else None
    return _bindings(folder, os.environ.get(BINDING_VARIABLE))


@cache
def _bindings(folder: str | None, named: str | None) -> Bindings:
    if folder is None:
        return load_bindings(named)
    return load_bindings(find_binding_file(Path(folder)))


def tool_settings(project: Path) -> dict[str, object]:
    """`[tool.tracepact]` of a project; empty where there is none, or the file cannot be read."""
    try:
        settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        found = settings.get("tool", {}).get("tracepact", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _in(folder: Path) -> Path | None:
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)
