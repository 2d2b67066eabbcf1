"""Which files differ from a git revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tracepact.errors import ConfigError


def changed_files(ref: str, folder: Path) -> frozenset[Path]:
    """Files of the repository around a folder that differ from a revision, or are not tracked.

    Raises:
        ConfigError: There is no git, no repository, or no such revision.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    # What the user gives is resolved to a hash first, so that it can be no option of `diff`.
    spec = f"{ref}^{{commit}}"
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", spec).split()[-1]
    names = _git(top, "diff", "--name-only", "--no-renames", "--diff-filter=d", "-z", commit)
    names += _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    return frozenset((top / name).resolve() for name in names.split("\0") if name)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"--diff needs git: {error}; install it, or lint without --diff"
        ) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or "no such revision"
        raise ConfigError(f"--diff: {said}; name a branch, tag or commit of this repository")
    return done.stdout.decode("utf-8", "surrogateescape")
