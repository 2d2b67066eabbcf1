"""What does it cost to check that an array is a softmax: finite, in [0, 1], rows that sum to 1?

Beside both cores: the idioms of NumPy and torch, and a plain one-pass sum in C of the same array,
which anything that reads it takes at least. Wall time; the idioms run on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import floor
from benchmarks.harness import (
    CORES,
    Claim,
    Samples,
    Statement,
    UnavailableError,
    as_json,
    available,
    interleaved,
    on_core,
    optional,
    print_claims,
    print_samples,
    write_json,
)
from tracepact.contracts import ContractRegistry
from tracepact.core import using_core
from tracepact.tracing import ContractTracingLayer, Mode, Policy
from tracepact.types import Array

TOLERANCE = 1e-6
_TOLERANCES = {"float32": TOLERANCE, "float16": 1e-3, "bfloat16": 1e-2}
SIZES = {"128": 128, "4 Ki": 1 << 12, "64 Ki": 1 << 16, "1 Mi": 1 << 20, "16 Mi": 1 << 24}
ATTENTION = (32, 512, 512)
CACHE_LINE = 64
_SECONDS = 3.5
Check = Callable[..., bool]


def arrays() -> dict[str, Array]:
    """Softmax of random scores; float32, and of some sizes the 16-bit types too."""
    found = {f"float32 {name}": _placed(_softmax((size,))) for name, size in SIZES.items()}
    found["float32 4 Ki, 16 bytes off a cache line"] = _placed(_softmax((SIZES["4 Ki"],)), 16)
    found["float32 [32, 512, 512]"] = _softmax(ATTENTION)
    try:
        bfloat16 = optional("ml_dtypes", "ml-dtypes").bfloat16
    except UnavailableError as reason:
        print(f"skipped bfloat16: {reason}")
        bfloat16 = None
    for name in ("64 Ki", "1 Mi"):
        # Peaked as attention is: of a flat row of 1 Mi nearly everything underflows in float16.
        row = _softmax((SIZES[name],), spread=8.0)
        found[f"float16 {name}"] = row.astype(np.float16)
        if bfloat16 is not None:
            found[f"bfloat16 {name}"] = row.astype(bfloat16)
    return found


def _placed(array: Array, offset: int = 0) -> Array:
    """A copy so many bytes behind the start of a cache line: it decides what a plain sum takes."""
    room = np.empty(array.nbytes + offset + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE + offset
    placed = room[start : start + array.nbytes].view(array.dtype)
    placed[...] = array
    return placed


def _softmax(shape: tuple[int, ...], spread: float = 1.0) -> Array:
    scores = spread * np.random.default_rng(0).standard_normal(shape)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float32)


def ours() -> Check:
    """`site.check` of the shipped contract."""
    layer = ContractTracingLayer(ContractRegistry.builtin(), [], Policy(mode=Mode.LOG))
    return layer.site("softmax-kernel-v1", "softmax").check


def numpy_idiom(ret: Array) -> bool:
    """As one writes it with NumPy."""
    tol = _TOLERANCES[ret.dtype.name]
    return bool(
        np.isfinite(ret).all()
        and ret.min() >= 0
        and ret.max() <= 1 + tol
        and (np.abs(ret.sum(axis=-1, dtype=np.float32) - 1) <= tol).all()
    )


def torch_idiom() -> Check:
    """As one writes it with torch, of its own tensors."""
    torch = optional("torch")
    torch.set_num_threads(1)

    def check(ret: Any) -> bool:
        tol = _TOLERANCES[str(ret.dtype).removeprefix("torch.")]
        return bool(
            torch.isfinite(ret).all()
            and ((ret >= 0) & (ret <= 1 + tol)).all()
            and ((ret.sum(dim=-1, dtype=torch.float32) - 1).abs() <= tol).all()
        )

    return check


def as_tensor(array: Array) -> Any:
    """The same memory as a tensor."""
    torch = optional("torch")
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def assert_agreement(checks: dict[str, Check], array: Array) -> None:
    """All let it pass, and none with a NaN, a negative weight or a row that sums to less."""
    bad = array.copy()
    last = bad.reshape(-1)[-1:]
    for value in (None, np.nan, -0.5, bad.dtype.type(0.9)):
        if value is not None:
            last[:] = value
        for name, check in checks.items():
            given = as_tensor(bad) if name == "torch" else bad
            if name in CORES:
                with using_core(name):
                    passed = check(ret=given)
            else:
                passed = check(given)
            assert passed is (value is None), f"{name} errs on {bad.dtype}, {value}"


def main() -> None:
    """Assert that all agree on good and bad arrays, then time the good ones."""
    checks = available(
        {
            **{core: on_core(core, ours) for core in CORES},
            "NumPy": lambda: numpy_idiom,
            "torch": torch_idiom,
        }
    )
    c = available({"C": lambda: floor.load("sum_floor")}).get("C")
    figures: dict[str, dict[str, Samples]] = {}
    for name, array in arrays().items():
        entrants = dict(checks)
        if c is not None and array.dtype == np.float32 and array.ndim == 1:
            entrants["C, one pass"] = c.check_float32
        assert_agreement(entrants, array)
        if c is not None and array.dtype == np.float32:
            entrants["C, plain sum"] = c.sum_float32
        statements = {
            # No function around our call: at 128 elements it would be a third of the figure.
            who: Statement(
                "f(ret=a)" if who in CORES else "f(a)",
                {"f": f, "a": as_tensor(array) if who == "torch" else array},
                who if who in CORES else None,
            )
            for who, f in entrants.items()
        }
        found = interleaved(statements, seconds=_SECONDS)
        figures[name] = {who: each.per(1e3) for who, each in found.items()}
        print_samples(name, figures[name], baseline="NumPy", unit="µs")
    rows = print_claims(claims(figures, next(iter(checks))))
    sizes = {name: as_json(samples) for name, samples in figures.items()}
    write_json("tensor_checks", {"us": sizes, "claims": rows})


def claims(figures: dict[str, dict[str, Samples]], core: str) -> list[Claim]:
    """Every limit, for one core."""
    found = []
    for size, limit in {"4 Ki": 1.3, "1 Mi": 1.15, "16 Mi": 1.15}.items():
        samples = figures[f"float32 {size}"]
        if "C, plain sum" in samples:
            plain = samples["C, plain sum"]
            least = samples["C, one pass"].ratio(plain).median
            ratio = samples[core].ratio(plain).median
            found.append(Claim(f"{core} over a plain sum, {size}", ratio, limit, "×", floor=least))
    for size, limit in {"4 Ki": 20.0, "1 Mi": 6.0}.items():
        samples = figures[f"float32 {size}"]
        ratio = samples["NumPy"].ratio(samples[core]).median
        found.append(Claim(f"NumPy over {core}, {size}", ratio, limit, "×", at_least=True))
    return found
