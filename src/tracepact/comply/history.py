"""When files changed last, by git; nothing is written, and no hook of the repository runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

_LIMIT_S = 60


class HistoryError(Exception):
    """The history cannot be read; the message says why and what to do."""


def last_changes(folder: Path, files: Iterable[Path]) -> dict[Path, float]:
    """Time of the last change of each file, in seconds since 1970.

    That is the last commit; of a file that differs from it, or is not tracked, the time of the
    file itself. A fresh clone has new times for all files, so those alone say nothing.

    Raises:
        HistoryError: There is no git, no repository, or only the newest part of it.

    Four processes; git walks back until each file was met.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    if _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise HistoryError("shallow clone without dates; fetch the history (fetch-depth: 0)")
    names = {file: _name(file, top) for file in files}
    asked = [name for name in names.values() if name]
    times: dict[str, float] = {}
    # Newest first; a chunk is a time and the names of what changed then.
    log = _git(top, "log", "--format=%x01%ct", "--name-only", "--no-renames", "-z", "--", *asked)
    for chunk in log.split("\1")[1:]:
        time, *changed = chunk.replace("\n", "\0", 1).split("\0")
        for name in filter(None, changed):
            times.setdefault(name.lstrip("\n"), float(time))
    differing = _git(top, "diff", "--name-only", "--no-renames", "-z", "HEAD", "--", *asked)
    for name in differing.split("\0"):
        times.pop(name, None)
    return {file: times.get(name, file.stat().st_mtime) for file, name in names.items()}


def _name(file: Path, top: Path) -> str:
    """The file as git calls it; "" where it is outside of the repository."""
    path, top = file.resolve(), top.resolve()
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else ""


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false"]
    command += ["-c", "diff.autoRefreshIndex=false"]
    try:
        done = subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, check=False, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HistoryError(f"no history: {error}; install git") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise HistoryError(f"no history: {said[0] if said else 'git failed'}")
    return done.stdout.decode("utf-8", "surrogateescape")
