"""A bar for what takes longer than a moment, where somebody is looking."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

_T = TypeVar("_T")
_MOMENT_S: Final = 1.0


def shown(items: Sequence[_T], what: str, console: Console | None = None) -> Iterator[_T]:
    """The items; on a terminal, a bar on stderr says after a second how far they are.

    Args:
        items: Asked for one after the other.
        what: Is done with them, as `linting`.
        console: In place of stderr.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    start = time.monotonic()
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(what, total=len(items))
    try:
        for done, item in enumerate(items):
            if time.monotonic() - start >= _MOMENT_S:
                bar.start()
                bar.update(task, completed=done)
            yield item
    finally:
        bar.stop()
