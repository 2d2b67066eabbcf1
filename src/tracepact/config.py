"""Settings that come from outside the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Folder for figures that may be thrown away at any time; it need not exist.

    `TRACEPACT_CACHE_DIR` when set, else the user's cache folder of the platform + `tracepact`.
    """
    override = os.environ.get("TRACEPACT_CACHE_DIR")
    if override:
        return Path(override).expanduser()
    return _user_cache_dir() / "tracepact"


def _user_cache_dir() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    # The XDG specification: a relative path is invalid and is to be ignored.
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg) if os.path.isabs(xdg) else Path("~/.cache").expanduser()
