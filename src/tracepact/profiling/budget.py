"""What a token, a page or a brick may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from tracepact.errors import ConfigError

PAGE_BYTES: Final = 4096
"""Size of the page that `ByteBudget.us_per_page` speaks of: the usual page of virtual memory."""

_US_PER_SECOND: Final = 1e6


@dataclass(frozen=True, slots=True)
class BrickCost:
    """What one call of a brick does, counted from its shapes; the roofline turns it into time.

    Attributes:
        bytes_moved: bytes read and written that memory must deliver: weights, inputs and results.
        flops: floating-point operations; a multiply-add counts as two.
        launches: calls into the engine (NumPy functions, GPU kernels), each of which pays the
            engine's launch overhead.
    """

    bytes_moved: float
    flops: float
    launches: int


@dataclass(frozen=True, slots=True)
class GrowingCost:
    """Cost of a brick whose calls differ in one size only: `base + size * step`.

    Attention is the example: its size is the number of positions in use. One object serves every
    call, so nothing needs to be counted from shapes again and again.

    Attributes:
        base: what does not depend on the size.
        step: what each unit of size adds.
    """

    base: BrickCost
    step: BrickCost

    def at(self, size: int) -> BrickCost:
        """Cost of a call of that size."""
        base, step = self.base, self.step
        return BrickCost(
            base.bytes_moved + step.bytes_moved * size,
            base.flops + step.flops * size,
            base.launches + step.launches * size,
        )


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Time that one token may take.

    Latency and throughput are two views of one figure: `tokens_per_sec = 1e6 / us_per_token`.

    Attributes:
        us_per_token: microseconds a token, amortised over the batch.
        tokens_per_sec: the same as a rate.
        batch_size: tokens that one step works on together, so a step may take
            `us_per_token * batch_size`.

    Raises:
        ConfigError: a figure is not positive and finite, or the two views contradict each other.
    """

    us_per_token: float
    tokens_per_sec: float
    batch_size: int = 1

    def __post_init__(self) -> None:
        _require_positive("TokenBudget.us_per_token", self.us_per_token)
        _require_positive("TokenBudget.tokens_per_sec", self.tokens_per_sec)
        if self.batch_size < 1:
            raise ConfigError(f"TokenBudget.batch_size must be at least 1, got {self.batch_size!r}")
        _require_same_rate(
            "TokenBudget", self.tokens_per_sec, _US_PER_SECOND / self.us_per_token, "tokens/s"
        )

    @classmethod
    def from_latency(cls, us_per_token: float, batch_size: int = 1) -> Self:
        """A budget of so many microseconds a token."""
        _require_positive("us_per_token", us_per_token)
        return cls(us_per_token, _US_PER_SECOND / us_per_token, batch_size)

    @classmethod
    def from_throughput(cls, tokens_per_sec: float, batch_size: int = 1) -> Self:
        """A budget that allows so many tokens a second."""
        _require_positive("tokens_per_sec", tokens_per_sec)
        return cls(_US_PER_SECOND / tokens_per_sec, tokens_per_sec, batch_size)

    def is_met(self, actual_us_per_token: float) -> bool:
        """Whether a token that took so long is within the budget; NaN is not."""
        return actual_us_per_token <= self.us_per_token

    def utilization(self, actual_us: float) -> float:
        """Share of the budget that a token of `actual_us` uses up; 1.0 is exactly at budget."""
        return actual_us / self.us_per_token


@dataclass(frozen=True, slots=True)
class ByteBudget:
    """Time that moving one page of `PAGE_BYTES` (4096) bytes may take.

    Attributes:
        us_per_page: microseconds a page.
        gb_per_sec: the same as a rate, in 1e9 bytes a second.

    Raises:
        ConfigError: a figure is not positive and finite, or the two views contradict each other.
    """

    us_per_page: float
    gb_per_sec: float

    def __post_init__(self) -> None:
        _require_positive("ByteBudget.us_per_page", self.us_per_page)
        _require_positive("ByteBudget.gb_per_sec", self.gb_per_sec)
        _require_same_rate("ByteBudget", self.gb_per_sec, _gb_per_sec(self.us_per_page), "GB/s")

    @classmethod
    def from_latency(cls, us_per_page: float) -> Self:
        """A budget of so many microseconds a page."""
        _require_positive("us_per_page", us_per_page)
        return cls(us_per_page, _gb_per_sec(us_per_page))

    @classmethod
    def from_throughput(cls, gb_per_sec: float) -> Self:
        """A budget that demands so many GB/s."""
        _require_positive("gb_per_sec", gb_per_sec)
        # bytes ÷ GB/s is nanoseconds; the conversion is its own inverse.
        return cls(_gb_per_sec(gb_per_sec), gb_per_sec)

    def is_met(self, actual_us_per_page: float) -> bool:
        """Whether a page that took so long is within the budget; NaN is not."""
        return actual_us_per_page <= self.us_per_page

    def utilization(self, actual_us: float) -> float:
        """Share of the budget that a page of `actual_us` uses up; 1.0 is exactly at budget."""
        return actual_us / self.us_per_page


def _gb_per_sec(us_per_page: float) -> float:
    return PAGE_BYTES / (us_per_page * 1e3)


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be positive and finite, got {value!r}")


def _require_same_rate(budget: str, given: float, expected: float, unit: str) -> None:
    if not math.isclose(given, expected, rel_tol=1e-9):
        raise ConfigError(
            f"{budget}: {given!r} {unit} contradicts its latency, which means {expected!r} {unit}; "
            "use from_latency or from_throughput"
        )
