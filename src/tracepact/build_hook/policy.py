"""AllImplemented: a build fails for what is not implemented and warns of what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracepact.bindings import Binding, Bindings, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a binding file means for a build; each text is ready to be shown."""

    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


_NEXT: Final[dict[Status, str]] = {
    "not_implemented": "implement it, or set the status to `pending` while it is being written",
    "pending": "set the status to `implemented` when it is",
    "partial": "set the status to `implemented` when the rest is",
}


def all_implemented(bindings: Bindings) -> Verdict:
    """Judge every entry of one binding file.

    What of the file cannot be used fails too: an entry that is not understood might be one that
    is not implemented.
    """
    failures = [str(problem) for problem in bindings.problems]
    failures += [_say(one) for one in bindings.entries if one.status == "not_implemented"]
    unfinished = [one for one in bindings.entries if one.status in ("pending", "partial")]
    return Verdict(failures=tuple(failures), warnings=tuple(map(_say, unfinished)))


def _say(entry: Binding) -> str:
    equation = f"{entry.contract}.{entry.equation}"
    status = entry.status.replace("_", " ")
    return f"{entry.location}: {equation} ({entry.qualname}) is {status}; {_NEXT[entry.status]}"
