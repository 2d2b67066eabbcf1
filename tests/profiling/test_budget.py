"""Budgets: two views of one figure that can never disagree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.errors import ConfigError
from tracepact.profiling.budget import PAGE_BYTES, ByteBudget, TokenBudget

FIGURES = st.floats(min_value=1e-6, max_value=1e12)


def test_latency_of_50_us_is_20000_tokens_per_second() -> None:
    budget = TokenBudget.from_latency(50.0)
    assert budget == TokenBudget(us_per_token=50.0, tokens_per_sec=20_000.0, batch_size=1)


def test_gb_per_sec_counts_pages_of_4096_bytes() -> None:
    assert PAGE_BYTES == 4096
    budget = ByteBudget.from_throughput(4.096)
    assert budget.us_per_page == pytest.approx(1.0)
    assert ByteBudget.from_latency(1.0).gb_per_sec == pytest.approx(4.096)


@given(FIGURES, st.integers(1, 4096))
def test_token_budget_round_trips_through_both_views(us: float, batch: int) -> None:
    budget = TokenBudget.from_latency(us, batch)
    back = TokenBudget.from_throughput(budget.tokens_per_sec, batch)
    assert math.isclose(back.us_per_token, us, rel_tol=1e-12)
    assert back.batch_size == batch


@given(FIGURES)
def test_byte_budget_round_trips_through_both_views(gb_per_sec: float) -> None:
    budget = ByteBudget.from_throughput(gb_per_sec)
    back = ByteBudget.from_latency(budget.us_per_page)
    assert math.isclose(back.gb_per_sec, gb_per_sec, rel_tol=1e-12)


@given(FIGURES, FIGURES)
def test_budget_is_met_exactly_when_utilization_is_at_most_one(us: float, actual: float) -> None:
    for budget in (TokenBudget.from_latency(us), ByteBudget.from_latency(us)):
        assert budget.is_met(actual) == (budget.utilization(actual) <= 1.0)


@pytest.mark.parametrize("budget", [TokenBudget.from_latency(8.0), ByteBudget.from_latency(8.0)])
def test_utilization_is_one_at_budget(budget: TokenBudget | ByteBudget) -> None:
    assert budget.utilization(8.0) == 1.0
    assert budget.utilization(4.0) == 0.5
    assert budget.is_met(8.0)
    assert not budget.is_met(8.000001)
    assert not budget.is_met(math.nan)


@pytest.mark.parametrize("figure", [0.0, -1.0, math.nan, math.inf, 1e-320])
@pytest.mark.parametrize(
    "make",
    [
        TokenBudget.from_latency,
        TokenBudget.from_throughput,
        ByteBudget.from_latency,
        ByteBudget.from_throughput,
    ],
)
def test_figure_that_is_not_positive_and_finite_is_refused(make: object, figure: float) -> None:
    """Also one whose reciprocal overflows."""
    assert callable(make)
    with pytest.raises(ConfigError, match="must be positive and finite"):
        make(figure)


def test_views_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"30000\.0 tokens/s contradicts .* 20000\.0 tokens/s"):
        TokenBudget(us_per_token=50.0, tokens_per_sec=30_000.0)
    with pytest.raises(ConfigError, match="use from_latency or from_throughput"):
        ByteBudget(us_per_page=1.0, gb_per_sec=1.0)


def test_batch_of_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        TokenBudget.from_latency(50.0, batch_size=0)
