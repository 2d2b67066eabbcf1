"""First occurrences are kept, further ones at a rate, and memory is bounded."""

from __future__ import annotations

import pytest

from tracepact.tracing import limiter as limiter_module
from tracepact.tracing.limiter import Limiter


class Clock:
    now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr("tracepact.tracing.limiter.time.monotonic_ns", fake)
    return fake


@pytest.mark.usefixtures("clock")
def test_first_occurrences_are_kept_and_the_rest_counted() -> None:
    limiter = Limiter(keep_first=3, per_second=1)
    assert [limiter.admit("a") for _ in range(5)] == [True] * 3 + [False] * 2
    assert (limiter.seen["a"], limiter.suppressed["a"]) == (5, 2)


@pytest.mark.usefixtures("clock")
def test_keys_are_counted_apart() -> None:
    limiter = Limiter(keep_first=1, per_second=1)
    assert limiter.admit("a")
    assert limiter.admit("b")
    assert not limiter.admit("a")


def test_further_occurrences_pass_at_the_rate(clock: Clock) -> None:
    limiter = Limiter(keep_first=1, per_second=2)
    assert limiter.admit("a")
    clock.now_ns += 499_999_999
    assert not limiter.admit("a")
    clock.now_ns += 1
    assert limiter.admit("a")
    assert not limiter.admit("a")


def test_rate_of_zero_lets_nothing_more_through(clock: Clock) -> None:
    limiter = Limiter(keep_first=1, per_second=0)
    assert limiter.admit("a")
    clock.now_ns += 10**15
    assert not limiter.admit("a")


def test_limit_holds_forever(clock: Clock) -> None:
    limiter = Limiter(keep_first=5, per_second=10)
    assert limiter.admit("a", limit=1)
    clock.now_ns += 10**15
    assert not limiter.admit("a", limit=1)
    assert limiter.suppressed["a"] == 1


@pytest.mark.usefixtures("clock")
def test_keys_beyond_the_bound_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "_MAX_KEYS", 3)
    limiter = Limiter(keep_first=2, per_second=0)
    assert all(limiter.admit(key) for key in range(3))
    assert [limiter.admit(key) for key in range(3, 1000)] == [True] * 2 + [False] * 995
    assert limiter.admit(0), "keys that were there first keep their own count"
    assert len(limiter.seen) == 4
