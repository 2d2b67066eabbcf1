"""What came of a bounded harness, and the bounds of running one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal

MAX_BOUND: Final = 64
"""Elements of an array that a harness may ask for."""

MAX_SYMBOLS: Final = 64
"""Unknowns of one question to the solver."""

MAX_CALLS: Final = 1_500
"""Evaluations for one shape of an enumeration, where elements take more than the least values."""

MOST_CALLS: Final = 20_000
"""Where they take the least."""

MAX_ROWS: Final = 20_000
"""Rows of one array of an enumeration."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of one harness.

    Attributes:
        outcome: `proved` for every input within the bound, `refuted` by one of them, `undecided`
            where it could not be run to the end, or says nothing.
        method: How, as in `z3 over reals`; "" where nothing ran.
        detail: What was covered and how long it took, or why it was not decided.
        counterexample: A call that shows the failure, ready to be pasted; "" without one.
    """

    outcome: Literal["proved", "refuted", "undecided"]
    method: str
    detail: str
    counterexample: str = ""


class Undecidable(Exception):  # noqa: N818 - it is an outcome, not an error
    """This way of proving does not lead to an end; the message says why."""


class Deadline:
    """A point in time that a harness must not run beyond."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._start = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self.limit_s - self.elapsed_s)

    def check(self, done: str) -> None:
        """Stop where no time is left.

        Raises:
            Undecidable: With what was done until then.
        """
        if not self.left_s:
            raise Undecidable(f"the limit of {self.limit_s:.3g} s was reached: {done}")
