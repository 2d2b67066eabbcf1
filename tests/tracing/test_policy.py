"""When checks run: modes, samplers, and the environment."""

from __future__ import annotations

from typing import Any

import pytest

from tracepact.errors import ConfigError
from tracepact.tracing import Always, EveryNth, Mode, Policy, TimeBudget


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5_000_000_000

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr("tracepact.tracing.policy.time.monotonic_ns", fake)
    return fake


@pytest.mark.parametrize("mode", ["off", "log", "raise"])
def test_mode_is_named_in_plain_words(mode: Any) -> None:
    assert Policy(mode=mode).mode is Mode(mode)


@pytest.mark.parametrize("mode", ["on", "", None, 1])
def test_unknown_mode_names_the_known_ones(mode: Any) -> None:
    with pytest.raises(ConfigError, match="unknown policy .*; use one of: off, log, raise"):
        Policy(mode=mode)


@pytest.mark.parametrize(
    ("value", "mode"), [(None, "log"), ("", "log"), ("off", "off"), ("log", "log"), ("raise",) * 2]
)
def test_environment_names_the_mode(
    monkeypatch: pytest.MonkeyPatch, value: str | None, mode: str
) -> None:
    if value is None:
        monkeypatch.delenv("TRACEPACT", raising=False)
    else:
        monkeypatch.setenv("TRACEPACT", value)
    assert Policy.from_environment().mode == mode


def test_environment_with_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT", "loud")
    with pytest.raises(ConfigError, match="TRACEPACT='loud' is not a policy; use one of: off, log"):
        Policy.from_environment()


def test_always_admits() -> None:
    sampler = Always()
    sampler.spend(10**18)
    assert all(sampler.admit() for _ in range(5))
    assert isinstance(Policy().sampler, Always)


@pytest.mark.parametrize(
    ("n", "admitted"),
    [(1, [True] * 7), (3, [True, False, False, True, False, False, True])],
)
def test_every_nth_admits_the_first_and_every_nth(n: int, admitted: list[bool]) -> None:
    sampler = EveryNth(n)
    sampler.spend(10**18)
    assert [sampler.admit() for _ in range(7)] == admitted


@pytest.mark.parametrize("n", [0, -3])
def test_every_nth_of_none_is_refused(n: int) -> None:
    with pytest.raises(ConfigError, match="n is at least 1"):
        EveryNth(n)


def test_time_budget_admits_while_checks_stay_in_their_share(clock: Clock) -> None:
    budget = TimeBudget(0.01)
    assert budget.admit()
    budget.spend(1_000)
    assert not budget.admit()
    clock.now_ns += 99_999
    assert not budget.admit()
    clock.now_ns += 1
    assert budget.admit()
    budget.spend(1)
    assert not budget.admit()


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_time_budget_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="is not a share of wall time in"):
        TimeBudget(share)


def test_every_nth_counts_each_caller_by_itself() -> None:
    """Sites that take turns must not starve one another."""
    sampler = EveryNth(2)
    got = [(caller, sampler.admit(caller)) for _ in range(4) for caller in ("p", "q")]
    assert [admitted for caller, admitted in got if caller == "q"] == [True, False, True, False]
