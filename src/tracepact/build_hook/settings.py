"""`[tool.tracepact]` in the pyproject.toml of a project that is being built."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

from tracepact.errors import ConfigError

_PATHS = {"binding": "package/binding.yaml", "evidence": ".tracepact/evidence.json"}
"""Settings that are paths, and what one looks like."""
_CONSTANTS = "[tool.tracepact.build] constants"


def is_guarded(project: Path) -> bool:
    """Whether a project asks for the guard, by having a table `[tool.tracepact]`.

    Runs in every build with setuptools where tracepact is installed, so it reads one file and
    imports nothing that takes long; a file that cannot be read is the backend's to report.
    """
    return _table(project) is not None


def verify_settings(project: Path) -> None:
    """A setting that is misspelt would leave the build unguarded; tables belong to their readers.

    Raises:
        ConfigError: `[tool.tracepact]` has a setting that is not known, or a path that is none.
    """
    for name, value in (_table(project) or {}).items():
        if name in _PATHS and not isinstance(value, str):
            raise ConfigError(
                f"pyproject.toml: [tool.tracepact] {name} = {value!r} is no path; "
                f'write it like "{_PATHS[name]}"'
            )
        if name not in _PATHS and not isinstance(value, dict):
            raise ConfigError(
                f"pyproject.toml: [tool.tracepact] has no setting {name!r}; "
                f"known: {', '.join(_PATHS)}, build"
            )


def constants_path(project: Path) -> PurePosixPath | None:
    """Where in the wheel the module of constants goes; None when the project wants none.

    Raises:
        ConfigError: `[tool.tracepact.build]` holds anything else than a usable `constants`.
    """
    settings = (_table(project) or {}).get("build", {})
    if not isinstance(settings, dict):
        raise ConfigError("pyproject.toml: [tool.tracepact] build is no table; make it one")
    unknown = sorted(settings.keys() - {"constants"})
    if unknown:
        raise ConfigError(
            f"pyproject.toml: [tool.tracepact.build] has no setting {unknown[0]!r}; "
            "known: constants"
        )
    if "constants" not in settings:
        return None
    text = settings["constants"]
    path = PurePosixPath(text) if isinstance(text, str) else PurePosixPath()
    parents = path.parts[:-1]
    if path.suffix != ".py" or not all(name.isidentifier() for name in (*parents, path.stem)):
        raise ConfigError(
            f"pyproject.toml: {_CONSTANTS} = {text!r} is no path of a module inside the wheel; "
            'write it like "package/_contracts.py"'
        )
    return path


def _table(project: Path) -> dict[str, Any] | None:
    try:
        text = (project / "pyproject.toml").read_text("utf-8")
        table = tomllib.loads(text)["tool"]["tracepact"] if "tracepact" in text else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return table if isinstance(table, dict) else None
