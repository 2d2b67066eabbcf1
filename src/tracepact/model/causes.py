"""Which violation of a forward pass began it, and which only followed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tracepact.violation import Violation


class Causes:
    """The first causes of one thread's forward passes.

    Violations of a pass stand in order of execution. Of each sequence of the batch (of the whole
    batch, where the sequence is not known) the first that failed is the root, and those after it
    are consequences. What is not finite stays in the KV cache, so that later passes of the same
    sequence fail again: those are consequences too, until one of them is clean.
    """

    def __init__(self) -> None:
        self._position = -1
        self._lasting: dict[int | None, Violation] = {}
        self._roots: dict[int | None, Violation] = {}

    def begin(self, position: int) -> None:
        """A pass begins; one that does not go on from the last belongs to other sequences."""
        if position <= self._position:
            self._lasting = {}
        self._position = position
        self._roots = {}

    def end(self) -> None:
        """The pass is over: what is not finite will be there in the next."""
        if not self._lasting and not self._roots:
            return
        lasting = {**self._lasting, **self._roots}
        self._lasting = {
            sequence: root
            for sequence, root in lasting.items()
            if sequence in self._roots and is_spreading(root)
        }

    def assign(self, found: Sequence[Violation]) -> list[Violation]:
        """The same violations with their roles."""
        marked: list[Violation] = []
        counts: dict[int, int] = {}
        places: dict[int, int] = {}
        for violation in found:
            cause = self._cause_of(violation)
            if cause is None:
                if violation.verdict == "failed":
                    self._roots[violation.batch] = violation
                    places[id(violation)] = len(marked)
                marked.append(violation)
                continue
            self._roots.setdefault(violation.batch, cause)
            counts[id(cause)] = counts.get(id(cause), 0) + 1
            marked.append(replace(violation, role="consequence", cause=cause.place))
        for root, place in places.items():
            if root in counts:
                marked[place] = replace(marked[place], consequences=counts[root])
        return marked

    def _cause_of(self, violation: Violation) -> Violation | None:
        if violation.verdict != "failed":
            return None
        sequence = violation.batch
        for roots in (self._lasting if is_spreading(violation) else {}, self._roots):
            if sequence in roots:
                return roots[sequence]
            if None in roots:
                return roots[None]
            if sequence is None and roots:
                return next(iter(roots.values()))
        return None


def is_spreading(violation: Violation) -> bool:
    """Whether values that are not finite were found, which go on into all that follows."""
    for name, value in violation.measured.items():
        if isinstance(value, float) and not math.isfinite(value):
            return True
        if name.startswith("nonfinite") and isinstance(value, int | float) and value > 0:
            return True
    return False
