"""What checks leave behind during a forward pass, kept as plain numbers until somebody looks.

A decoded token leaves some hundred of them, and objects for each would cost more than the checks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from tracepact.core import TensorStats, native_core
from tracepact.types import Array

if TYPE_CHECKING:
    from tracepact.core import _native

POINTS: Final = ("input", "post-norm", "post-attention", "post-ffn", "output")
"""Points of MLT-01; the kind of their events is their index."""

OUTPUT: Final = POINTS.index("output")
ATTENTION: Final = len(POINTS)
"""Kind of the events of MLT-02: statistics of the row sums, and the rows."""

HIDDEN: Final = ATTENTION + 1
"""Kind of an event that only keeps a hidden state, where MLT-03 is taken without MLT-01."""

NO_EVENT: Final = -1

Figures: TypeAlias = tuple[
    int, int, int, int, float, float, float, float, float, float, int, int
]  # fmt: skip
"""Of `TensorStats`, in the order of its attributes."""


_L2: Final = 9  # among the figures of an event

Worst: TypeAlias = tuple[float, int, int]
"""A figure, the layer (-1 is none) and the kind of its event; -Inf without one."""

LogFigures: TypeAlias = tuple[int, Worst, int, Worst, Worst]
"""What `PythonLog.worst` says."""

_RATIO: Final = tuple(map(POINTS.index, ("input", "post-attention", "post-ffn")))


class Event(NamedTuple):
    """One event; `layer` is None outside the layers."""

    kind: int
    layer: int | None
    stats: TensorStats
    array: Array | None


class PythonLog:
    """The Python twin of `_native.TraceLog`."""

    def __init__(self) -> None:
        self._events: list[tuple[int, int, Figures, Array | None]] = []

    def append(self, kind: int, layer: int, figures: Figures, kept: Array | None) -> None:
        """Add an event; layer -1 is none."""
        self._events.append((kind, layer, figures, kept))

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: int) -> tuple[int, int, Figures, Array | None]:
        return self._events[index]

    def last_norm(self, kind: int) -> float | None:
        """L2 norm of the last event's, if it is of this kind and of no layer."""
        if not self._events:
            return None
        last, layer, figures, _ = self._events[-1]
        return figures[_L2] if last == kind and layer < 0 else None

    def worst(self) -> LogFigures:
        """The worst figures, NaN being worst of all, and where they are.

        Returns:
            Events of MLT-01 and the largest magnitude among them; events of MLT-02 and the largest
            |row sum - 1|; the largest share of a layer's input in what it passes on,
            ‖input‖ / (‖input‖ + ‖attention update‖ + ‖feed-forward update‖): near 1 the layer
            contributes nothing.
        """
        magnitude = error = ratio = (-math.inf, -1, 0)
        points = rows = 0
        norms: dict[int, tuple[int, float]] = {}
        for kind, layer, figures, _ in self._events:
            count, *strange = figures[:4]
            low, high, l2 = figures[4], figures[5], figures[9]
            if kind == ATTENTION:
                rows += 1
                off = math.nan if any(strange) else max(abs(low - 1), abs(high - 1))
                error = _worse(error, (off, layer, kind)) if count else error
            if kind >= ATTENTION:
                continue
            points += 1
            largest = math.nan if any(strange) else max(-low, high)
            magnitude = _worse(magnitude, (largest, layer, kind)) if count else magnitude
            norms[kind] = (layer, l2)
            known = [norms.get(each, (None, 0.0)) for each in _RATIO]
            if kind == _RATIO[-1] and all(of == layer for of, _ in known):
                total = sum(norm for _, norm in known)
                if total > 0:
                    ratio = _worse(ratio, (known[0][1] / total, layer, kind))
        return points, magnitude, rows, error, ratio

    def arrays(self, kind: int) -> list[Array]:
        """The arrays that events of a kind kept."""
        return [kept for of, _, _, kept in self._events if of == kind and kept is not None]


Log: TypeAlias = "PythonLog | _native.TraceLog"


def new_log() -> Log:
    """An empty log of the core that serves."""
    native = native_core()
    if native is None:
        return PythonLog()
    log: _native.TraceLog = native.TraceLog()
    return log


def append(
    log: Log, kind: int, layer: int | None, stats: TensorStats, kept: Array | None = None
) -> None:
    """Add an event."""
    figures = (
        stats.count, stats.nan_count, stats.posinf_count, stats.neginf_count, stats.min, stats.max,
        stats.sum, stats.mean, stats.m2, stats.l2, stats.argmin, stats.argmax,
    )  # fmt: skip
    log.append(kind, -1 if layer is None else layer, figures, kept)


def events(log: Log) -> list[Event]:
    """All events, in order."""
    found = []
    for index in range(len(log)):
        kind, layer, figures, kept = log[index]
        found.append(Event(kind, None if layer < 0 else layer, TensorStats(*figures), kept))
    return found


def _worse(so_far: Worst, new: Worst) -> Worst:
    is_worse = new[0] > so_far[0] or (math.isnan(new[0]) and not math.isnan(so_far[0]))
    return new if is_worse else so_far
