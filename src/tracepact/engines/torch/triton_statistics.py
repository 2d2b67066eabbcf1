"""Statistics of many tensors in one launch of a Triton kernel.

Compiled it runs on CUDA and ROCm. With `TRITON_INTERPRET=1` in the environment before Triton is
imported it runs on the CPU, which is how the tests see it.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import triton
import triton.language as tl

FIGURES: Final = 7
"""Of each piece: NaN, +Inf, -Inf, smallest, largest, sum and sum of squares of what is finite."""

_BLOCK: Final = 1024
_WARPS: Final = 4
_KINDS: Final = {
    torch.float64: tl.float64,
    torch.float32: tl.float32,
    torch.float16: tl.float16,
    torch.bfloat16: tl.bfloat16,
}


def measure_pieces(table: torch.Tensor, dtype: torch.dtype, out: torch.Tensor) -> None:
    """Measure pieces of memory on a device, without waiting for it.

    Args:
        table: int64 [pieces, 2] on the device: address and number of elements of each.
        dtype: Of the elements: float64, float32, float16 or bfloat16.
        out: float64 [pieces, 7] on the device; `FIGURES` says what is written.
    """
    kernel: Any = _measure
    kernel[(len(table),)](table, out, _KINDS[dtype], _BLOCK, FIGURES, num_warps=_WARPS)


@triton.jit  # type: ignore[untyped-decorator]
def _measure(  # type: ignore[no-untyped-def]
    table,
    out,
    kind: tl.constexpr,
    block: tl.constexpr,
    width: tl.constexpr,
):
    piece = tl.program_id(0).to(tl.int64)
    data = tl.load(table + 2 * piece).to(tl.pointer_type(kind))
    count = tl.load(table + 2 * piece + 1)
    nan = tl.zeros((block,), tl.int64)
    above = tl.zeros((block,), tl.int64)
    below = tl.zeros((block,), tl.int64)
    low = tl.full((block,), float("inf"), tl.float64)
    high = tl.full((block,), float("-inf"), tl.float64)
    total = tl.zeros((block,), tl.float64)
    squares = tl.zeros((block,), tl.float64)
    for start in range(0, count, block):
        at = start + tl.arange(0, block)
        inside = at < count
        x = tl.load(data + at, mask=inside, other=0.0).to(tl.float64)
        is_finite = inside & (tl.abs(x) < float("inf"))
        nan += (x != x).to(tl.int64)
        above += (x == float("inf")).to(tl.int64)
        below += (x == float("-inf")).to(tl.int64)
        low = tl.minimum(low, tl.where(is_finite, x, float("inf")))
        high = tl.maximum(high, tl.where(is_finite, x, float("-inf")))
        x = tl.where(is_finite, x, 0.0)
        total += x
        squares += x * x
    figures = out + width * piece
    tl.store(figures, tl.sum(nan, 0).to(tl.float64))
    tl.store(figures + 1, tl.sum(above, 0).to(tl.float64))
    tl.store(figures + 2, tl.sum(below, 0).to(tl.float64))
    tl.store(figures + 3, tl.min(low, 0))
    tl.store(figures + 4, tl.max(high, 0))
    tl.store(figures + 5, tl.sum(total, 0))
    tl.store(figures + 6, tl.sum(squares, 0))
