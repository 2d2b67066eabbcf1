"""Settings that come from outside the program, and its files in the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import Final

__version__: Final = "0.1.0"

CACHE_VARIABLE: Final = "TRACEPACT_CACHE"
"""Environment variable: `off` keeps nothing in the cache folder and reads nothing from it."""

_KEPT_FILES: Final = 32
_KEPT_BYTES: Final = 64 * 1024**2
"""Of one kind of file, the newest; what is older or more goes when the next one is written."""


def cache_dir() -> Path:
    """Folder for what may be thrown away at any time; it need not exist.

    `TRACEPACT_CACHE_DIR` when set, else the user's cache folder of the platform + `tracepact`.
    """
    override = os.environ.get("TRACEPACT_CACHE_DIR")
    if override:
        return Path(override).expanduser()
    return _user_cache_dir() / "tracepact"


def cache_is_off() -> bool:
    """Whether the user wants nothing to be kept."""
    return os.environ.get(CACHE_VARIABLE) == "off"


def read_cached(name: str, limit: int) -> bytes | None:
    """Contents of a file in the cache folder, at most `limit` bytes; else None.

    Refused are links, special files, and what another user owns or could have written.
    """
    if cache_is_off():
        return None
    try:
        with open(os.path.join(cache_dir(), name), "rb", buffering=0, opener=_open_plain) as file:
            facts = os.fstat(file.fileno())
            if facts.st_size > limit or not (stat.S_ISREG(facts.st_mode) and _is_own(facts)):
                return None
            # One byte more tells a file that grows; a short read is caught by what parses it.
            return file.read(facts.st_size + 1)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: there is no home folder
        return None


def write_cached(name: str, data: bytes) -> None:
    """Keep a file for the next run; a folder that cannot be written is no error.

    The file appears whole or not at all: another process may be reading it. `name` is
    `kind-…`; of one kind the oldest files are removed when there are many.
    """
    if cache_is_off():
        return
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        folder = cache_dir()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f"{name}.{os.urandom(6).hex()}.part"
        try:
            with open(part, "xb", opener=_open_private) as file:
                file.write(data)
            os.replace(part, folder / name)
        except OSError:
            os.unlink(part)
            raise
        _remove_oldest(folder, name.partition("-")[0] + "-")


def forget_cached(name: str) -> None:
    """Remove a file from the cache folder, so that the next run writes it again."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        os.unlink(os.path.join(cache_dir(), name))


def _remove_oldest(folder: Path, kind: str) -> None:
    """Parts that a killed process left behind go in the same way."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(kind):
                facts = entry.stat(follow_symlinks=False)
                found.append((facts.st_mtime_ns, facts.st_size, entry.path))
    total = 0
    for count, (_, size, path) in enumerate(sorted(found, reverse=True), 1):
        total += size
        if count > _KEPT_FILES or (total > _KEPT_BYTES and count > 1):
            with contextlib.suppress(OSError):  # another process was faster
                os.unlink(path)


def _is_own(facts: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    return facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _open_plain(path: str, flags: int) -> int:
    # Opening a FIFO would otherwise wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _user_cache_dir() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    # The XDG specification: a relative path is invalid and is to be ignored.
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg) if os.path.isabs(xdg) else Path("~/.cache").expanduser()
