"""Finding and reading contract files, whatever else a folder holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tracepact.contracts.model import Problem
from tracepact.contracts.problem_log import ProblemLog
from tracepact.types import SourceLocation

MAX_BYTES = 4 * 1024 * 1024
MAX_ENTRIES = 100_000
"""Files and folders that one search looks at."""

_SUFFIXES = (".yaml", ".yml")
_BINDINGS = ("binding.yaml", "binding.yml")


def display_name(path: str | Path) -> str:
    """The path as text that can be printed, also when its bytes are not UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def read_bytes(path: Path, log: ProblemLog) -> bytes | None:
    """Contents of a regular file of at most `MAX_BYTES`; None, with a problem, for all else."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                log.add(None, "not a regular file", "replace it by one or remove it")
                return None
            # Room for 4 MiB takes longer to get than most files to read.
            data = file.read(min(facts.st_size, MAX_BYTES) + 1)
            if len(data) > facts.st_size:
                data += file.read(MAX_BYTES + 1 - len(data))
    except (OSError, ValueError) as error:
        log.add(None, f"cannot be read: {_reason(error)}", "check the path and its permissions")
        return None
    if len(data) > MAX_BYTES:
        log.add(None, f"larger than {MAX_BYTES // 1024**2} MiB", "split the contract")
        return None
    return data


def find_files(folder: Path) -> tuple[list[Path], list[Problem]]:
    """Contract files in a folder and below, sorted; and what could not be searched.

    Symbolic links are followed, but no folder is visited twice. Binding files and names that
    begin with a dot are left out.
    """
    files: list[Path] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    entries = 0

    def report(place: str, message: str, hint: str) -> None:
        problems.append(Problem(SourceLocation(display_name(place), 1, 1), message, hint))

    pending = [str(folder)]
    while pending:
        place = pending.pop()
        real = os.path.realpath(place)
        if real in seen:
            report(place, "folder is reached twice", "remove the symbolic link that leads here")
            continue
        seen.add(real)
        try:
            names = sorted(os.listdir(place))
        except OSError as error:
            report(place, f"cannot be searched: {_reason(error)}", "check its permissions")
            continue
        entries += len(names)
        if entries > MAX_ENTRIES:
            report(place, f"more than {MAX_ENTRIES} files; search stops", "give a smaller folder")
            break
        for name in names:
            path = os.path.join(place, name)
            if name.startswith("."):
                continue
            if os.path.isdir(path):
                pending.append(path)
            elif name.endswith(_SUFFIXES) and name not in _BINDINGS:
                files.append(Path(path))
    return sorted(files), problems


def _open_at_once(path: str, flags: int) -> int:
    # Opening a FIFO would otherwise wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
