"""Does the native core measure as NumPy does, whatever the shape, strides, dtype and values?

    python fuzz/fuzz_measure.py --cases 1000000 --seed 0

Each case follows from the seed and its number alone: `--first` and `--cases 1` run one again. Exit
code 1 and the case's number on a mismatch.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable

import ml_dtypes
import numpy as np
from rich.console import Console
from rich.progress import track

from tracepact.core import _native
from tracepact.types import Array, FloatArray

POOL = 1 << 17
NAMES = ["f8", "f4", "f4", "f2", ml_dtypes.bfloat16, "i1", "i2", "i4", "i8"]
DTYPES = [np.dtype(name) for name in [*NAMES, "u1", "u2", "u4", "u8", "?"]]
FUNCTIONS = ["row_sums", "row_norms", "row_min", "row_max", "row_argmax", "row_dots"]
SUMMED_WIDE = {np.dtype(name) for name in ("f8", "i4", "i8", "u4", "u8")}


def make_pools(seed: int) -> dict[np.dtype, list[Array]]:
    """Long vectors of each dtype with ordinary, odd, missing and extreme values."""
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal(POOL)
    pools: dict[np.dtype, list[Array]] = {}
    for dtype in DTYPES:
        bits = generator.integers(0, 256, POOL * dtype.itemsize, np.uint8)
        if dtype.kind not in "fV":
            anything = bits.view(dtype) if dtype.kind != "b" else bits > 127
            pools[dtype] = [anything, (np.abs(normal) * 40).astype(dtype)]
            continue
        rare, often = normal.copy(), normal * 50
        for value in (math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0):
            rare[generator.random(POOL) < 1e-3] = value
            often[generator.random(POOL) < 0.1] = value
        kinds = [normal, np.abs(normal), 1e4 + normal, rare, often, np.full(POOL, 0.1)]
        if dtype.itemsize == 8:
            kinds += [normal * 1e200, normal * 1e-200, normal * 1e-310]
        pools[dtype] = [kind.astype(dtype) for kind in kinds]
        pools[dtype].append(bits.view(dtype) if dtype.itemsize < 8 else normal * 3e38)
    return pools


def draw_array(choose: random.Random, pools: dict[np.dtype, list[Array]]) -> Array:
    """A view of one to four axes into a pool: mostly small, some large."""
    pool = choose.choice(pools[choose.choice(DTYPES)])
    ndim = choose.choice((1, 1, 2, 2, 3, 4))
    most = 300 if choose.random() < 0.98 else 30_000
    axis = int(most ** (1 / ndim))
    shape = [choose.randint(0 if choose.random() < 0.1 else 1, axis) for _ in range(ndim)]
    size = math.prod(shape)
    step = choose.choice((1, 1, 1, 2, 3, -1))
    start = choose.randrange(POOL - 3 * size) + (size if step < 0 else 0)
    x = pool[start : start + size * step : step].reshape(shape)
    what = choose.random()
    if what < 0.2:
        x = x.T
    elif what < 0.3:
        x = x[..., ::-2]
    elif what < 0.4:
        x = x[::-1]
    elif what < 0.45:
        x = np.broadcast_to(x, (3, *x.shape))
    elif what < 0.5:
        x = np.swapaxes(x, 0, -1)[..., 1:]
    return x


def fits(
    actual: FloatArray | float, expected: FloatArray | float, slack: FloatArray | float
) -> bool:
    """Whether figures are as expected, or within the slack where they are numbers."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    same = (actual == expected) | ((actual != actual) & (expected != expected))
    return actual.shape == expected.shape and bool(
        np.all(same | (np.abs(actual - expected) <= slack))
    )


def check_measure(x: Array, wanted: int, figures: tuple[float, ...]) -> str:
    """The name of the first figure that is wrong, or nothing."""
    wide = np.asarray(x, np.float64).ravel()
    good = np.isfinite(wide)
    finite = wide if good.all() else wide[good]
    counts = (wide.size, np.isnan(wide).sum(), (wide == math.inf).sum(), (wide == -math.inf).sum())
    if figures[:4] != counts or figures[12] != wanted | 1:
        return "counts"
    if wanted & 16 and wide.size and figures[10:12] != (wide.argmin(), wide.argmax()):
        return "argmin or argmax"
    if not finite.size:
        return ""
    lowest, highest = finite.min(), finite.max()
    if wanted & 2 and figures[4:6] != (lowest, highest):
        return "min or max"
    if not wanted & 12:
        return ""
    largest = max(-lowest, highest)
    exponent = 0 if 1e-140 < largest < 1e140 else math.frexp(largest)[1]
    scaled = finite if exponent == 0 else np.ldexp(finite, -exponent)
    magnitude = np.abs(scaled).sum()
    total = scaled.sum()
    tolerance = 1e-13 if x.dtype in SUMMED_WIDE else 5e-7

    def agrees(figure: float, expected: float, slack: float, power: int = 1) -> bool:
        if exponent == 0:
            return abs(figure - expected) <= slack
        few = 2.0**-1068
        target, slack = np.ldexp(expected, power * exponent), np.ldexp(slack, power * exponent)
        return figure == target or abs(figure - target) <= slack + few

    if wanted & 4 and not agrees(figures[6], total, tolerance * magnitude):
        return "sum"
    if wanted & 8:
        mean = total / scaled.size
        distance = scaled - mean
        m2, squares = distance.dot(distance), scaled.dot(scaled)
        unit = np.abs(scaled).max()
        if not agrees(figures[7], mean, 1e-13 * magnitude / scaled.size):
            return "mean"
        if not agrees(figures[8], m2, 1e-9 * m2 + scaled.size * (1e-14 * unit) ** 2, 2):
            return "m2"
        if not agrees(figures[9], math.sqrt(squares), 1e-13 * math.sqrt(squares)):
            return "l2"
    return ""


def expected_rows(function: str, x: Array, y: Array) -> tuple[FloatArray, FloatArray | float]:
    """What NumPy says, and the slack."""
    wide = np.asarray(x, np.float64)
    if function == "row_sums":
        slack = 1e-13 if x.dtype in SUMMED_WIDE else 5e-7
        return wide.sum(-1), slack * np.abs(np.where(np.isfinite(wide), wide, 0)).sum(-1)
    if function == "row_dots":
        products = wide * np.asarray(y, np.float64)
        return products.sum(-1), 1e-12 * np.abs(np.where(np.isfinite(products), products, 0)).sum(
            -1
        )
    if function == "row_norms":
        largest = np.abs(wide).max(-1, keepdims=True)
        unit = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
        norms = np.sqrt(np.square(wide / unit).sum(-1)) * unit[..., 0]
        norms = np.where(np.isfinite(largest[..., 0]), norms, largest[..., 0])
        return norms, 1e-12 * norms
    return np.asarray(getattr(wide, function[4:])(-1), np.float64), 0.0


def run_case(seed: int, case: int, pools: dict[np.dtype, list[Array]]) -> str:
    """What is wrong with a case, or nothing."""
    choose = random.Random((seed << 40) + case)
    isa = choose.choice(_native.isas())
    _native.set_isa(isa)
    threads = 2 if choose.random() < 0.02 else 1
    _native.set_threads(threads, 0)
    x = draw_array(choose, pools)
    kind = choose.random()
    wanted = choose.randrange(32)
    if kind < 0.6:
        wrong = check_measure(x, wanted, _native.measure(x, wanted))
        what = f"measure, wanted={wanted}"
    elif kind < 0.75:
        figures, sums = _native.measure_rows(x, wanted)
        wrong = check_measure(x, wanted, figures)
        wrong = wrong or ("" if fits(sums, *expected_rows("row_sums", x, x)) else "row sums")
        what = f"measure_rows, wanted={wanted}"
    else:
        what = choose.choice(FUNCTIONS)
        wrong = ""
        y = x[(0,) * (x.ndim - 1)] if choose.random() < 0.5 and x.size else x[..., ::-1]
        arrays = (x, y) if what == "row_dots" else (x,)
        rows = _native.row_reduce(what, *arrays)
        if x.shape[-1] and not fits(rows, *expected_rows(what, x, y)):
            wrong = "rows"
    if not wrong:
        return ""
    where = f"shape={x.shape} strides={x.strides} {x.dtype} isa={isa} threads={threads}"
    return f"{wrong} of {what}: {where}"


def main(arguments: list[str], run: Callable[..., str] = run_case) -> int:
    """Run the cases; 1 at the first mismatch, 0 without one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args(arguments)
    console = Console()
    begin = time.monotonic()
    with np.errstate(all="ignore"):
        pools = make_pools(options.seed)
        cases = range(options.first, options.first + options.cases)
        for case in track(cases, "measuring", console=console, update_period=0.5):
            wrong = run(options.seed, case, pools)
            if wrong:
                console.print(f"case {case}: {wrong}")
                console.print(f"again: --seed {options.seed} --first {case} --cases 1")
                return 1
    console.print(f"{options.cases} cases agree with NumPy ({time.monotonic() - begin:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
