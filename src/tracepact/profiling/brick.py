"""Units of compute that have a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from tracepact.errors import ConfigError
from tracepact.profiling.budget import TokenBudget
from tracepact.profiling.profile_check import PROFILING_CONTRACT
from tracepact.profiling.roofline import ROOFLINE_CONTRACT, derive_budget
from tracepact.tracing import Context

if TYPE_CHECKING:
    from tracepact.contracts import ContractRegistry
    from tracepact.profiling.hardware import HardwareCapability
    from tracepact.tracing import ContractTracingLayer, Site

T = TypeVar("T")

DEFAULT_BUDGET: Final = TokenBudget.from_latency(50.0)
"""Where no roofline contract gives one: 50 µs a token."""


@dataclass(frozen=True, slots=True)
class BrickResult(Generic[T]):
    """What one run of a brick yielded and took.

    Attributes:
        value: what the function returned.
        us_per_token: wall time over tokens.
        utilization: share of the budget; 1.0 is at budget.
        budget_met: whether it was at most that.
    """

    value: T
    us_per_token: float
    utilization: float
    budget_met: bool


class ComputeBrick:
    """A unit of compute with a budget.

    Args:
        name: known (`BrickId`) or any other.
        budget: what a token may take.
        contract_id: stem of the contract that the budget comes from; None if it was given by hand.
    """

    def __init__(self, name: str, budget: TokenBudget, contract_id: str | None = None) -> None:
        self.name = str(name)
        self.budget = budget
        self.contract_id = contract_id
        self._site: Site | None = None

    @classmethod
    def from_contract(
        cls, registry: ContractRegistry, hw: HardwareCapability, *, name: str = "Token"
    ) -> Self:
        """A brick whose budget the roofline contract derives for this hardware.

        Args:
            registry: without a roofline contract the budget is `DEFAULT_BUDGET`.
            hw: what to derive it for.
            name: of the brick; by default it is everything that a decoded token takes.
        """
        budget = derive_budget(registry, hw)
        if budget is None:
            return cls(name, DEFAULT_BUDGET)
        return cls(name, budget, ROOFLINE_CONTRACT)

    def run(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        tokens: int | None = None,
        layer: ContractTracingLayer | None = None,
        **kwargs: Any,
    ) -> BrickResult[T]:
        """Call `fn(*args, **kwargs)` and hold it to the budget.

        Args:
            fn: the work; bind arguments that are called `tokens` or `layer` with a lambda.
            *args: for `fn`.
            tokens: that the call works on; by default the budget's `batch_size`.
            layer: where to report a budget that is exceeded.
            **kwargs: for `fn`.

        Raises:
            ConfigError: `tokens` is not positive, or `layer` has no contract for budgets.
            ContractViolation: the budget is exceeded and the layer's policy is `raise`.
        """
        count = self.budget.batch_size if tokens is None else tokens
        if count < 1:
            raise ConfigError(f"{self.name}: a brick works on at least 1 token, not {count}")
        began = time.perf_counter_ns()
        value = fn(*args, **kwargs)
        us_per_token = (time.perf_counter_ns() - began) / 1e3 / count
        if layer is not None:
            self._report(layer, us_per_token)
        return BrickResult(
            value,
            us_per_token,
            self.budget.utilization(us_per_token),
            self.budget.is_met(us_per_token),
        )

    def _report(self, layer: ContractTracingLayer, us_per_token: float) -> None:
        if self._site is None or self._site.tracing_layer is not layer:
            self._site = layer.site(PROFILING_CONTRACT, "brick_within_budget")
        self._site.check_in(
            Context(brick=self.name), median_us=us_per_token, budget_us=self.budget.us_per_token
        )


class BrickLayer:
    """Bricks that run one after the other: the slowest one bounds them all.

    Args:
        bricks: at least one.

    Raises:
        ConfigError: there are none.
    """

    def __init__(self, bricks: Sequence[ComputeBrick]) -> None:
        if not bricks:
            raise ConfigError("a BrickLayer has at least one brick")
        self.bricks = tuple(bricks)

    @property
    def bottleneck(self) -> ComputeBrick:
        """The brick that allows the fewest tokens a second; the first of several."""
        return min(self.bricks, key=lambda brick: brick.budget.tokens_per_sec)

    @property
    def ceiling_tokens_per_sec(self) -> float:
        """Tokens a second that the bottleneck allows."""
        return self.bottleneck.budget.tokens_per_sec
