"""What is known of a tensor after one pass over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Flag, auto


class Stat(Flag):
    """Groups of statistics that a pass can be asked for."""

    COUNTS = auto()
    """Elements, NaN, +Inf, -Inf. Always part of a pass."""
    RANGE = auto()
    """Smallest and largest finite element."""
    SUM = auto()
    """Sum of the finite elements."""
    MOMENTS = auto()
    """Mean, standard deviation and L2 norm of the finite elements."""
    ARGS = auto()
    """Flat index (C order) of the first smallest and first largest element of all, NaN before any
    number, as `np.argmin` and `np.argmax` have it."""
    FULL = COUNTS | RANGE | SUM | MOMENTS


@dataclass(slots=True)
class TensorStats:
    """Statistics of one tensor, in float64.

    `min`, `max`, `mean`, `std` and `l2` leave NaN and Inf out, which are counted on their own; they
    are NaN where there is no finite element. `lowest`, `highest` and `total` are the honest
    extremes and sum of *all* elements: NaN if there is one. `m2`, and so `std`, may be Inf where
    elements are beyond 1e150, and 0 where they are all within 1e-160.
    """

    count: int = 0
    nan_count: int = 0
    posinf_count: int = 0
    neginf_count: int = 0
    min: float = math.nan
    max: float = math.nan
    sum: float = 0.0
    mean: float = math.nan
    m2: float = 0.0
    """Sum of squared distances from the mean."""
    l2: float = 0.0
    argmin: int = -1
    argmax: int = -1
    measured: Stat = Stat.FULL | Stat.ARGS
    """Groups that the pass was asked for; the attributes of others mean nothing."""

    @classmethod
    def of_scalar(cls, value: float) -> TensorStats:
        """Statistics of a single number."""
        if math.isfinite(value):
            return cls(1, 0, 0, 0, value, value, value, value, 0.0, abs(value), 0, 0)
        counts = int(math.isnan(value)), int(value == math.inf), int(value == -math.inf)
        return cls(1, *counts, argmin=0, argmax=0)

    @property
    def inf_count(self) -> int:
        """Elements that are +Inf or -Inf."""
        return self.posinf_count + self.neginf_count

    @property
    def nonfinite_count(self) -> int:
        """Elements that are NaN, +Inf or -Inf."""
        return self.nan_count + self.posinf_count + self.neginf_count

    @property
    def finite_count(self) -> int:
        """Elements that are neither NaN nor Inf."""
        return self.count - self.nonfinite_count

    @property
    def std(self) -> float:
        """Population standard deviation of the finite elements."""
        n = self.finite_count
        return math.sqrt(self.m2 / n) if n else math.nan

    @property
    def lowest(self) -> float:
        """Smallest element of all; NaN if there is a NaN, +Inf if there is no element."""
        if self.nan_count:
            return math.nan
        if self.neginf_count:
            return -math.inf
        return self.min if self.finite_count else math.inf

    @property
    def highest(self) -> float:
        """Largest element of all; NaN if there is a NaN, -Inf if there is no element."""
        if self.nan_count:
            return math.nan
        if self.posinf_count:
            return math.inf
        return self.max if self.finite_count else -math.inf

    @property
    def total(self) -> float:
        """Sum of all elements, with the rules of IEEE 754 for NaN and Inf."""
        return self.sum + self._contagion()

    @property
    def average(self) -> float:
        """Mean of all elements; NaN without elements."""
        mean = self.mean if self.finite_count or not self.count else 0.0
        return mean + self._contagion()

    @property
    def spread(self) -> float:
        """Population standard deviation of all elements; NaN if one is not finite."""
        return math.nan if self.nonfinite_count else self.std

    @property
    def norm(self) -> float:
        """L2 norm of all elements; Inf or NaN if one is."""
        return math.nan if self.nan_count else math.inf if self.inf_count else self.l2

    def _contagion(self) -> float:
        """What the non-finite elements add to a sum: 0, an infinity, or NaN."""
        if self.nan_count or (self.posinf_count and self.neginf_count):
            return math.nan
        return math.inf if self.posinf_count else -math.inf if self.neginf_count else 0.0

    def add(self, other: TensorStats) -> None:
        """Take in the statistics of the elements that follow (Chan, Golub & LeVeque 1983)."""
        mine, theirs = self.finite_count, other.finite_count
        self.measured &= other.measured
        if other.count and Stat.ARGS in self.measured:
            if not self.count or _goes_first(other.lowest, self.lowest):
                self.argmin = self.count + other.argmin
            if not self.count or _goes_first(-other.highest, -self.highest):
                self.argmax = self.count + other.argmax
        if theirs:
            if not mine or other.min < self.min:
                self.min = other.min
            if not mine or other.max > self.max:
                self.max = other.max
            self.sum += other.sum
            if not mine:
                self.mean, self.m2 = other.mean, other.m2
            else:
                distance = other.mean - self.mean
                share = theirs / (mine + theirs)
                self.mean += distance * share
                self.m2 += other.m2 + distance * distance * mine * share
            self.l2 = math.hypot(self.l2, other.l2)
        self.count += other.count
        self.nan_count += other.nan_count
        self.posinf_count += other.posinf_count
        self.neginf_count += other.neginf_count


def _goes_first(new: float, old: float) -> bool:
    """Whether a later element takes the place of the smallest so far; the first NaN keeps it."""
    return not math.isnan(old) and not new >= old
