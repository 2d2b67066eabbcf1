"""When checks run, and what a violation does."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from tracepact.errors import ConfigError

_WINDOW_NS = 1_000_000_000
MODE_VARIABLE = "TRACEPACT"
"""Environment variable: `off`, `log` (default) or `raise`."""


class Mode(StrEnum):
    """What a violation does."""

    OFF = "off"
    """Nothing is measured."""
    LOG = "log"
    """Violations go to the exporters."""
    RAISE = "raise"
    """Violations go to the exporters, then `ContractViolation` is raised."""


class Sampler(Protocol):
    """Decides which checks run."""

    def admit(self, caller: Hashable = None) -> bool:
        """Whether the next check runs."""

    def spend(self, duration_ns: int) -> None:
        """Take note of what a check cost."""


class Always:
    """Every check runs."""

    def admit(self, caller: Hashable = None) -> bool:
        """Always true."""
        return True

    def spend(self, duration_ns: int) -> None:
        """Costs do not matter."""


class EveryNth:
    """The first check runs, then every n-th."""

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ConfigError(f"every {n}-th check makes no sense; n is at least 1")
        self.n = n
        self._calls: defaultdict[Hashable, Iterator[int]] = defaultdict(itertools.count)

    def admit(self, caller: Hashable = None) -> bool:
        """Whether this is an n-th call of this caller."""
        return next(self._calls[caller]) % self.n == 0

    def spend(self, duration_ns: int) -> None:
        """Costs do not matter."""


class TimeBudget:
    """Checks run while they take at most a share of wall time; a bad check may exceed it once.

    Counted is the time inside checks. At most a second's share is saved up, so that a pause is not
    followed by a burst.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise ConfigError(f"a time budget of {share} is not a share of wall time in (0, 1]")
        self.share = share
        self._start_ns = time.monotonic_ns()
        self._spent_ns = 0

    def admit(self, caller: Hashable = None) -> bool:
        """Whether the share so far leaves room."""
        now_ns = time.monotonic_ns()
        earliest_ns = now_ns - _WINDOW_NS - int(self._spent_ns / self.share)
        self._start_ns = max(self._start_ns, earliest_ns)
        return self._spent_ns <= self.share * (now_ns - self._start_ns)

    def spend(self, duration_ns: int) -> None:
        """Count what a check cost."""
        self._spent_ns += duration_ns


@dataclass(frozen=True, slots=True)
class Policy:
    """Mode, sampling, and how many repeats of one violation reach the exporters.

    Attributes:
        mode: `off`, `log` or `raise`.
        sampler: Which checks run.
        keep_first: Occurrences of the same violation that are always exported.
        repeats_per_second: Rate at which further ones are exported; the rest are counted.
    """

    mode: Mode | Literal["off", "log", "raise"] = Mode.LOG
    sampler: Sampler = field(default_factory=Always)
    keep_first: int = 5
    repeats_per_second: float = 1.0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "mode", Mode(self.mode))
        except ValueError:
            raise ConfigError(
                f"unknown policy {self.mode!r}; use one of: {', '.join(Mode)}"
            ) from None

    @classmethod
    def from_environment(cls) -> Policy:
        """The policy that `TRACEPACT` names; `log` where it is not set, or empty."""
        try:
            return cls(mode=Mode(os.environ.get(MODE_VARIABLE) or Mode.LOG))
        except ValueError:
            raise ConfigError(
                f"{MODE_VARIABLE}={os.environ[MODE_VARIABLE]!r} is not a policy; "
                f"use one of: {', '.join(Mode)}"
            ) from None
