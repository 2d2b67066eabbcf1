"""The log of a pass, by both cores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tracepact.core import Stat, TensorStats, measure
from tracepact.model.events import ATTENTION, HIDDEN, POINTS, Log, append, events, new_log

STATS = measure(np.array([1.0, -3.0, 2.0]), Stat.FULL)


@pytest.fixture
def log() -> Log:
    return new_log()


def layer_of(log: Log, layer: int, *norms: float) -> None:
    """The three points that a residual ratio needs."""
    points = ("input", "post-attention", "post-ffn")
    for point, norm in zip(points, norms, strict=True):
        append(log, POINTS.index(point), layer, measure(np.array([norm])))


def test_events_come_back_as_they_went_in(log: Log) -> None:
    kept = np.ones(3)
    append(log, 1, None, STATS)
    append(log, ATTENTION, 7, TensorStats(count=2, nan_count=1, min=0.5), kept)
    first, second = events(log)
    assert (first.kind, first.layer, first.array) == (1, None, None)
    assert [getattr(first.stats, name) for name in ("count", "min", "max", "sum", "mean")] == [
        3, -3.0, 2.0, 0.0, 0.0,
    ]  # fmt: skip
    assert (first.stats.l2, first.stats.m2) == (STATS.l2, STATS.m2)
    assert (second.kind, second.layer, second.stats.nan_count) == (ATTENTION, 7, 1)
    assert second.array is kept
    assert len(log) == 2
    assert log.arrays(ATTENTION) == [kept]
    assert log.arrays(1) == []
    with pytest.raises(IndexError):
        log[2]


def test_nothing_is_worst_of_nothing(log: Log) -> None:
    none = (-math.inf, -1, 0)
    assert log.worst() == (0, none, 0, none, none)


def test_worst_is_the_largest_magnitude_and_the_first_of_equals(log: Log) -> None:
    for layer, value in ((0, 2.0), (1, -5.0), (2, 5.0), (3, 1.0)):
        append(log, 3, layer, measure(np.array([value, 0.5])))
    append(log, HIDDEN, 9, TensorStats())
    assert log.worst()[:2] == (4, (5.0, 1, 3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_worst_of_all(log: Log, bad: float) -> None:
    for kind in (0, ATTENTION):
        append(log, kind, 0, measure(np.array([1e30])))
        append(log, kind, 1, measure(np.array([1.0, bad])))
        append(log, kind, 2, measure(np.array([1e35])))
    points, magnitude, rows, error, _ = log.worst()
    assert (points, rows) == (3, 3)
    assert math.isnan(magnitude[0])
    assert math.isnan(error[0])
    assert (magnitude[1:], error[1:]) == ((1, 0), (1, ATTENTION))


def test_last_norm_is_of_a_kind_and_of_no_layer(log: Log) -> None:
    assert log.last_norm(1) is None
    append(log, 1, None, STATS)
    assert log.last_norm(1) == STATS.l2
    assert log.last_norm(2) is None
    append(log, 1, 0, STATS)
    assert log.last_norm(1) is None


def test_row_sums_are_held_against_one(log: Log) -> None:
    for layer, sums in ((0, [1.0, 1.0]), (1, [1.1, 0.7]), (2, [1.2])):
        append(log, ATTENTION, layer, measure(np.array(sums)))
    _, _, rows, (value, layer, _), _ = log.worst()
    assert (rows, value, layer) == (3, pytest.approx(0.3), 1)


def test_residual_ratio_is_the_share_of_the_input(log: Log) -> None:
    layer_of(log, 0, 1.0, 1.0, 2.0)
    layer_of(log, 1, 3.0, 0.5, 0.5)
    layer_of(log, 2, 0.0, 0.0, 0.0)
    append(log, POINTS.index("input"), 3, STATS)
    append(log, POINTS.index("post-ffn"), 3, STATS)
    assert log.worst()[4] == (0.75, 1, POINTS.index("post-ffn"))
