"""The contracts that `diff` compares: files, folders, or a revision of a git repository."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from tracepact.contracts import Contract, Problem
from tracepact.contracts.files import MAX_BYTES, display_name
from tracepact.contracts.load import parse_contract
from tracepact.errors import ConfigError
from tracepact.lint.source import LintFile, open_paths
from tracepact.types import SourceLocation

_REGULAR = ("100644", "100755")
_BINDINGS = ("binding.yaml", "binding.yml")


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: How it was named.
        files: Contract files by their path below what was named.
    """

    label: str
    files: dict[str, LintFile]


@dataclass(eq=False)
class RevisionFile(LintFile):
    """A contract file of a revision; parsed when first asked for, which most never are."""

    @property
    def contract(self) -> Contract | None:
        """The contract in it, or None."""
        return self._parsed[0]

    @property
    def problems(self) -> list[Problem]:
        """What the loader could not use."""
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[Contract | None, list[Problem]]:
        return (None, self.unread) if self.data is None else parse_contract(self.data, self.path)


def open_sides(old: str, new: str | None) -> tuple[Side, Side]:
    """Both sides of a comparison.

    Args:
        old: A file or folder; `REV` or `REV:PATH`; `REV..REV` or `REV..REV:PATH` for both sides.
        new: The same for the other side. None stands for the files as they are now.

    Raises:
        ConfigError: Neither a path nor a revision, or nothing is there.
    """
    range_ = None if os.path.exists(old) else re.match(r"([^:]*?)\.\.([^:]*)(:.*)?\Z", old)
    if range_ is not None:
        first, second, path = range_[1], range_[2], range_[3] or ""
        if new is not None:
            raise ConfigError(f"{old} names both sides already; leave out {new}")
        if second.startswith("."):
            raise ConfigError(f"{old}: three dots are not understood; write REV..REV")
        return _side((first or "HEAD") + path), _side((second or "HEAD") + path)
    if new is None:
        if os.path.exists(old):
            raise ConfigError(f"{old} is a path, so there is nothing to compare it with; add NEW")
        new = old.partition(":")[2] or "."
        # A path that is gone now is no mistake: its contracts were removed.
        return _side(old), _side(new) if os.path.exists(new) else Side(display_name(new), {})
    return _side(old), _side(new)


def _side(text: str) -> Side:
    files = _on_disk(Path(text)) if os.path.exists(text) else dict(_at_revision(text))
    if not files:
        raise ConfigError(
            f"{display_name(text)} has no contracts; name a *.yaml contract or a folder"
        )
    return Side(display_name(text), files)


def _on_disk(path: Path) -> dict[str, LintFile]:
    files = open_paths([path])
    if not path.is_dir():
        return {file.path.name: file for file in files}
    return {file.path.relative_to(path).as_posix(): file for file in files}


def _at_revision(text: str) -> Iterator[tuple[str, LintFile]]:
    """Contract files of `REV` or `REV:PATH`; the path is relative to the current folder."""
    revision, _, path = text.partition(":")
    if revision.startswith("-"):
        raise ConfigError(f"{text!r} is no revision; name a branch, tag or commit")
    # What the user gives is resolved to a hash first, so that it can be no option of git.
    spec = f"{revision}^{{commit}}"
    found = _git(text, "rev-parse", "--verify", "--quiet", "--end-of-options", spec)
    commit = found.decode().split()[-1]
    folder = os.path.normpath(path or ".")
    listed = _git(text, "ls-tree", "-r", "-l", "-z", commit, "--", folder)
    chosen = [entry for entry in _entries(listed) if _is_contract(entry[0], folder)]
    small = [digest for _, digest, size in chosen if size <= MAX_BYTES]
    blobs = dict(zip(small, _blobs(text, small), strict=True))
    for name, digest, _ in chosen:
        below = os.path.relpath(name, folder)
        key = PurePosixPath(name).name if below == "." else below
        yield key, _file(Path(f"{revision}:{name}"), blobs.get(digest))


def _entries(listed: bytes) -> Iterator[tuple[str, str, int]]:
    """Name, hash and size of every regular file that `git ls-tree -l` lists."""
    for line in listed.split(b"\0"):
        facts, _, name = line.partition(b"\t")
        mode, _, digest, size = facts.decode().split() if facts else ("", "", "", "")
        if mode in _REGULAR:
            yield os.fsdecode(name), digest, int(size)


def _is_contract(name: str, folder: str) -> bool:
    below = PurePosixPath(os.path.relpath(name, folder))
    hidden = any(part.startswith(".") and part not in (".", "..") for part in below.parts)
    return (
        name.endswith((".yaml", ".yml"))
        and PurePosixPath(name).name not in _BINDINGS
        and (not hidden)
    )


def _blobs(text: str, digests: list[str]) -> Iterator[bytes]:
    """The contents of files, in that order; one process for all of them."""
    data = _git(text, "cat-file", "--batch", given="".join(f"{each}\n" for each in digests))
    place = 0
    for _ in digests:
        end = data.index(b"\n", place)
        size = int(data[place:end].split()[2])
        yield data[end + 1 : end + 1 + size]
        place = end + 2 + size


def _file(path: Path, data: bytes | None) -> LintFile:
    if data is not None:
        return RevisionFile(path, data)
    start = SourceLocation(display_name(path), 1, 1)
    problem = Problem(start, f"larger than {MAX_BYTES // 1024**2} MiB", "split the contract")
    return RevisionFile(path, None, unread=[problem])


def _git(text: str, *arguments: str, given: str = "") -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], input=given.encode(), capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{text} is no path, and to read a revision git is needed: {error}"
        raise ConfigError(f"{message}; install it, or name files or folders") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        because = f" ({said})" if said else ""
        raise ConfigError(
            f"{text} is neither a path nor a revision of this repository{because}; "
            "name a file, a folder, REV, REV:PATH or REV..REV"
        )
    return done.stdout
