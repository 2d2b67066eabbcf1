"""Statistics of tensors on an accelerator, read one step later so that nobody waits for it.

What a pass hands in is measured by one launch of a kernel for each type of its tensors; the figures
are copied to pinned memory of the host behind it, and read when the next pass ends. Nothing on the
way waits for the device.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from tracepact.core import TensorStats

FIGURES: Final = 7
"""Of each piece: NaN, +Inf, -Inf, smallest, largest, sum and sum of squares of what is finite."""

PIECE: Final = 1 << 16
"""Elements that one program of the kernel walks through."""

_KEPT: Final = 1 << 24
"""Bytes of tensors that are held until they are measured; then a launch follows at once."""

_MEASURED: Final = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})

Kernel = Callable[[torch.Tensor, torch.dtype, torch.Tensor], None]


@dataclass(slots=True)
class _Launch:
    """Pieces that were measured together."""

    places: list[tuple[int, int]]  # of the tensor that each belongs to, and elements
    figures: torch.Tensor
    table: torch.Tensor


@dataclass(slots=True)
class Measured:
    """What one pass has handed in, on its way to the host.

    Attributes:
        tags: Of its tensors, in order.
    """

    tags: list[Any] = field(default_factory=list)
    launches: list[_Launch] = field(default_factory=list)
    copies: list[tuple[Any, torch.Tensor]] = field(default_factory=list)
    event: Any = None

    def wait(self) -> None:
        """Until the figures are here; at once if the device has got that far."""
        if self.event is not None:
            self.event.synchronize()

    def statistics(self) -> list[tuple[Any, TensorStats]]:
        """Of each tensor its tag and its figures; `argmin` and `argmax` are unknown, -1."""
        parts: list[list[tuple[int, list[float]]]] = [[] for _ in self.tags]
        for launch in self.launches:
            rows = launch.figures.tolist()
            for (tensor, count), figures in zip(launch.places, rows, strict=True):
                parts[tensor].append((count, figures))
        return [(tag, _combined(of)) for tag, of in zip(self.tags, parts, strict=True)]


class DeviceStatistics:
    """Collects the tensors of one pass after another.

    Args:
        device: That they lie on.
        kernel: Measures pieces of memory; Triton's where that can be had, else none, and then
            operations of PyTorch do the same, a tensor at a time.
    """

    def __init__(self, device: torch.device, kernel: Kernel | None = None) -> None:
        self._device = device
        self._kernel = kernel
        self._pass = Measured()
        self._pending: list[tuple[int, torch.Tensor]] = []
        self._bytes = 0

    def add(self, tag: Any, value: torch.Tensor) -> None:
        """Measure a tensor, which nobody may write into before the pass ends."""
        value = value.detach()
        if value.dtype not in _MEASURED:
            return
        self._pass.tags.append(tag)
        self._pending.append((len(self._pass.tags) - 1, value.contiguous()))
        self._bytes += value.nbytes
        if self._bytes > _KEPT:
            self._launch()

    def copy(self, tag: Any, value: torch.Tensor) -> None:
        """Bring a small tensor to the host as it is."""
        self._pass.copies.append((tag, self._to_host(value.detach())))

    def end_pass(self) -> Measured:
        """What this pass has handed in; another one begins."""
        self._launch()
        ended, self._pass = self._pass, Measured()
        if self._device.type == "cuda":
            make: Any = torch.cuda.Event
            ended.event = make()
            ended.event.record()
        elif self._device.type != "cpu":
            accelerator: Any = getattr(torch, self._device.type, None)
            ended.event = accelerator  # has `synchronize`, of the whole device
        return ended

    def drop_pass(self) -> None:
        """Forget a pass that was broken off."""
        self._pass, self._bytes = Measured(), 0
        self._pending.clear()

    def _launch(self) -> None:
        pending, self._pending, self._bytes = self._pending, [], 0
        for dtype in dict.fromkeys(value.dtype for _, value in pending):
            of_type = [(at, value) for at, value in pending if value.dtype == dtype]
            self._pass.launches.append(self._measure(dtype, of_type))

    def _measure(self, dtype: torch.dtype, tensors: Sequence[tuple[int, torch.Tensor]]) -> _Launch:
        places: list[tuple[int, int]] = []
        table: list[tuple[int, int]] = []
        for at, value in tensors:
            for start in range(0, value.numel(), PIECE):
                count = min(PIECE, value.numel() - start)
                places.append((at, count))
                table.append((value.data_ptr() + start * value.element_size(), count))
        if self._kernel is None or not table:
            rows = [row for _, value in tensors for row in _plain_figures(value)]
            figures = torch.stack(rows) if rows else torch.zeros(0, FIGURES)
            return _Launch(places, self._to_host(figures), torch.zeros(0))
        host = torch.tensor(table, dtype=torch.int64)
        if self._device.type == "cuda":
            host = host.pin_memory()
        out = torch.empty(len(table), FIGURES, dtype=torch.float64, device=self._device)
        self._kernel(host.to(self._device, non_blocking=True), dtype, out)
        return _Launch(places, self._to_host(out), host)

    def _to_host(self, value: torch.Tensor) -> torch.Tensor:
        if value.device.type != "cuda":
            return value.to("cpu", non_blocking=True).clone()
        host = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
        host.copy_(value, non_blocking=True)
        return host


def launcher_of(device: torch.device) -> Kernel | None:
    """Triton's for devices that it compiles for, where it is installed."""
    if device.type != "cuda":
        return None
    try:
        room = importlib.import_module("tracepact.engines.torch.triton_statistics")
    except ImportError:
        return None
    kernel: Kernel = room.measure_pieces
    return kernel


def _plain_figures(value: torch.Tensor) -> list[torch.Tensor]:
    """The same figures by operations of PyTorch, [7] for each piece."""
    wide = torch.float32 if value.device.type == "mps" else torch.float64
    found = []
    pieces: Sequence[torch.Tensor] = torch.split(value.reshape(-1), PIECE)
    for piece in pieces if value.numel() else ():
        x = piece.to(wide)
        is_finite = torch.isfinite(x)
        inside = torch.where(is_finite, x, 0)
        found.append(
            torch.stack(
                [
                    torch.isnan(x).sum().to(wide),
                    (x == math.inf).sum().to(wide),
                    (x == -math.inf).sum().to(wide),
                    torch.where(is_finite, x, math.inf).amin(),
                    torch.where(is_finite, x, -math.inf).amax(),
                    inside.sum(),
                    inside.square().sum(),
                ]
            )
        )
    return found


def _combined(parts: Sequence[tuple[int, Sequence[float]]]) -> TensorStats:
    """Statistics of a tensor from those of its pieces."""
    count = sum(part[0] for part in parts)
    nan, above, below = (int(sum(part[1][i] for part in parts)) for i in range(3))
    finite = count - nan - above - below
    if not finite:
        return TensorStats(count, nan, above, below)
    low, high = min(part[1][3] for part in parts), max(part[1][4] for part in parts)
    total, squares = (math.fsum(part[1][i] for part in parts) for i in (5, 6))
    mean = total / finite
    return TensorStats(
        count, nan, above, below, low, high, total, mean,
        m2=max(0.0, squares - total * mean), l2=math.sqrt(squares),
    )  # fmt: skip
