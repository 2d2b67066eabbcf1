"""Statuses of bindings for other programs: environment variables, and a generated module."""

from __future__ import annotations

import os

from tracepact.bindings.model import STATUSES, Bindings, Status


def variables(bindings: Bindings) -> dict[str, Status]:
    """Status by `CONTRACT_<STEM>_<EQUATION>`; of several functions the one furthest from done."""
    found: dict[str, Status] = {}
    for entry in bindings.entries:
        before = found.get(entry.variable, entry.status)
        found[entry.variable] = max(before, entry.status, key=STATUSES.index)
    return found


def export_environment(bindings: Bindings) -> None:
    """Put the statuses into this process's environment, which child processes inherit."""
    os.environ.update(variables(bindings))


def render_module(bindings: Bindings) -> str:
    """Source of a module with one constant an equation."""
    name = bindings.path.name if bindings.path is not None else "no binding file"
    lines = [
        f'"""Statuses of bindings ({_plain(name)}); written by `tracepact bind --constants`."""',
        "",
        "from typing import Final",
        "",
    ]
    for variable, status in sorted(variables(bindings).items()):
        lines.append(f'{variable}: Final = "{status}"')
    return "\n".join(lines).rstrip("\n") + "\n"


def _plain(name: str) -> str:
    """A file name that cannot end the docstring it stands in."""
    return "".join(c if c.isalnum() or c in "._- " else "_" for c in name)
