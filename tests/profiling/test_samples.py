"""Totals count every call, medians the last ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.profiling.budget import BrickCost
from tracepact.profiling.samples import WINDOW, CallSamples

TIMES = st.lists(st.integers(0, 10**12), min_size=1, max_size=50)


def _samples(times_ns: list[int], cost: BrickCost | None = None) -> CallSamples:
    samples = CallSamples()
    for elapsed_ns in times_ns:
        samples.add(elapsed_ns, elapsed_ns // 2, cost, in_pass=True)
    return samples


@given(TIMES)
def test_totals_and_times_are_those_of_the_calls(times_ns: list[int]) -> None:
    samples = _samples(times_ns)
    assert samples.calls == len(times_ns)
    assert samples.total_ns == sum(times_ns)
    assert np.array_equal(samples.recent_us(), np.array(times_ns) / 1e3)


@given(TIMES, TIMES)
def test_merging_is_counting_both(first: list[int], second: list[int]) -> None:
    merged = _samples(first)
    merged.merge(_samples(second))
    both = _samples(first + second)
    for name in ("calls", "total_ns", "own_ns", "covered_ns", "bytes_moved"):
        assert getattr(merged, name) == getattr(both, name)
    assert np.array_equal(merged.recent_us(), both.recent_us())


def test_window_forgets_old_calls_and_totals_do_not() -> None:
    calls = 5 * WINDOW
    samples = _samples(list(range(calls)))
    recent = samples.recent_us()
    assert samples.calls == calls
    assert WINDOW <= len(recent) < 2 * WINDOW
    assert recent[-1] == (calls - 1) / 1e3
    assert samples.total_ns == calls * (calls - 1) // 2


def test_call_outside_a_pass_covers_nothing() -> None:
    samples = CallSamples()
    samples.add(10, 10, None, in_pass=False)
    assert (samples.own_ns, samples.covered_ns) == (10, 0)


def test_cost_is_the_mean_of_the_calls_that_the_median_looks_at() -> None:
    samples = _samples([1], BrickCost(100.0, 10.0, 1))
    samples.add(1, 1, BrickCost(300.0, 30.0, 3), in_pass=True)
    assert samples.mean_cost() == BrickCost(200.0, 20.0, 2)
    assert samples.bytes_moved == 400.0


def test_one_call_without_cost_leaves_no_cost_to_compare_with() -> None:
    samples = _samples([1], BrickCost(100.0, 10.0, 1))
    samples.add(1, 1, None, in_pass=True)
    assert samples.mean_cost() is None


def test_reading_the_times_does_not_stop_the_counting() -> None:
    samples = _samples([1])
    times = samples.recent_us()
    samples.add(2, 2, None, in_pass=True)
    assert times == pytest.approx([0.001])
    assert samples.calls == 2
