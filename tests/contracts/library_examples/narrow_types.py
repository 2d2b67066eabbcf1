"""f16-conversion-v1, quantization-ordering-v1, quantized-matmul-v1."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from gguf.constants import GGMLQuantizationType as Quant
from gguf.quants import dequantize, quantize
from library_examples.case import Case, Fields, grid, normal, planted, whole

from tracepact.types import Array

_EVERY_PATTERN = np.arange(1 << 16, dtype=np.uint16)


def _between(kind: type) -> Array:
    """Every finite number of a 16-bit type, and points a quarter, half and 3/4 of the way on."""
    with np.errstate(invalid="ignore"):  # signalling NaN are among the patterns
        every = _EVERY_PATTERN.view(kind).astype(np.float64)
    every = np.sort(every[np.isfinite(every)])
    steps = every[:-1] + np.diff(every) * np.array([0, 0.25, 0.5, 0.75], np.float64)[:, None]
    return steps.ravel().astype(np.float32)


def _cut(x: Array) -> Array:
    """Towards zero in bfloat16: the lower 16 bits dropped."""
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def _f16_cases() -> list[Case]:
    stem = "f16-conversion-v1"
    x = normal(400, scale=100)
    every = _EVERY_PATTERN.view(np.float16)
    every = every[~np.isnan(every)]
    wide = every.astype(np.float32)
    towards_zero = x.astype(np.float16)
    away = np.abs(towards_zero) > np.abs(x)
    towards_zero[away] = np.nextafter(towards_zero[away], np.float16(0))
    large = np.array([65_520, -1e6, np.inf, -np.inf], np.float32)
    halves, brains = _between(np.float16), _between(ml_dtypes.bfloat16)
    subnormal = np.array([6e-8, -3e-6, 0.5], np.float16)
    return [
        Case(
            stem,
            "narrow",
            {"x": x, "ret": x.astype(np.float16)},
            {
                "abs(x) < 65520": {"x": planted(x, 3, 65_520.0)},
                "Rounded to half a unit in the last place": {"ret": towards_zero},
                "Sign is kept": {"ret": planted(x.astype(np.float16), 5, -x[5])},
            },
            {"x": halves, "ret": halves.astype(np.float16)},
            1 << 16,
        ),
        Case(
            stem,
            "overflow",
            {"x": large, "ret": np.array([np.inf, -np.inf, np.inf, -np.inf], np.float16)},
            {
                "abs(x) >= 65520": {"x": planted(large, 0, 65_504.0)},
                "Too large becomes infinite": {
                    "ret": np.array([65_504, -65_504, np.inf, 0], np.float16)
                },
            },
            {"x": 65_520.0 * 2.0 ** np.arange(5), "ret": np.full(5, np.inf, np.float16)},
        ),
        Case(
            stem,
            "widen",
            {"x": subnormal, "ret": subnormal.astype(np.float32)},
            {
                "itemsize(x) == 2": {"x": subnormal.astype(np.float32)},
                "not any(isnan(x))": {"x": planted(subnormal, 0, np.nan)},
                "Widening is exact": {"ret": np.array([0, 0, 0.5], np.float32)},
                "Result has 32 bits": {"ret": subnormal},
            },
            {"x": every, "ret": wide},
            1 << 16,
        ),
        Case(
            stem,
            "roundtrip",
            {"original": subnormal, "ret": subnormal.astype(np.float32).astype(np.float16)},
            {
                "not any(isnan(original))": {"original": planted(subnormal, 1, np.nan)},
                "Widening and narrowing is the identity": {
                    "ret": np.array([0, 0, 0.5], np.float16)
                },
            },
            {"original": every, "ret": wide.astype(np.float16)},
            1 << 16,
        ),
        Case(
            stem,
            "narrow_bfloat16",
            {"x": x, "ret": x.astype(ml_dtypes.bfloat16)},
            {
                "abs(x) < 2.0 ** 128 * (1 - 2.0 ** -9)": {"x": planted(x, 0, np.inf)},
                "bfloat16 is rounded, not cut": {"ret": _cut(x)},
            },
            {"x": brains, "ret": brains.astype(ml_dtypes.bfloat16)},
            1 << 16,
        ),
    ]


def _requantised(w: Array, kind: Quant) -> Array:
    return dequantize(quantize(w, kind), kind)


def _errors(w: Array, q: Array, threshold: float) -> Fields:
    a, b = w.astype(np.float64), q.astype(np.float64)
    off = np.abs(a - b)
    block = int(off.argmax()) // 32 * 32
    return {
        "cosine": float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)),
        "relative_error": float(np.linalg.norm(a - b) / np.linalg.norm(a)),
        "threshold": threshold,
        "max_abs_error": float(off.max()),
        "block_max": float(np.abs(a.ravel()[block : block + 32]).max()),
    }


def _row_errors(w: Array, q: Array) -> Fields:
    """Cosine and relative error of each row."""
    norms = np.linalg.norm(w, axis=-1), np.linalg.norm(q, axis=-1)
    return {
        "cosine": (w * q).sum(axis=-1) / norms[0] / norms[1],
        "relative_error": np.linalg.norm(w - q, axis=-1) / norms[0],
    }


def _rounded_to_16_levels(w: Array) -> Fields:
    """Every row as a block of its own, with a symmetric scale of 4 bits."""
    exact = w.astype(np.float64)
    top = np.abs(exact).max(axis=-1)
    scale = top[:, None] / 7
    rounded = np.rint(exact / scale) * scale
    return _row_errors(exact, rounded) | {
        "threshold": 0.1,
        "max_abs_error": np.abs(exact - rounded).max(axis=-1),
        "block_max": top,
    }


def _every_pair(rows: Array) -> Fields:
    """Every row against every other one that is no further away than it is long."""
    w, q = (
        v.reshape(-1, rows.shape[-1]).astype(np.float64)
        for v in np.broadcast_arrays(rows[:, None], rows[None])
    )
    near = (np.linalg.norm(w - q, axis=-1) <= np.linalg.norm(w, axis=-1)) & q.any(axis=-1)
    return _row_errors(w[near], q[near])


def _quantisation_cases() -> list[Case]:
    stem = "quantization-ordering-v1"
    w = normal(64, 256)
    good = _errors(w, _requantised(w, Quant.Q4_0), 0.1)
    coarse, fine = (_errors(w, _requantised(w, k), 1.0) for k in (Quant.Q4_0, Quant.Q8_0))
    packed = quantize(w, Quant.Q4_0).copy()
    blocks = packed.reshape(64, -1, 18)
    blocks[..., 2:] = blocks[..., 2:] << 4 | blocks[..., 2:] >> 4
    swapped = _errors(w, dequantize(packed, Quant.Q4_0), 0.1)
    ratio = np.array([0.5, 0.1, 0.0078], np.float64)
    return [
        Case(
            stem,
            "quantization_error",
            good,
            {
                "threshold in (0, 1]": {"threshold": 0.0},
                "block_max > 0": {"block_max": 0.0},
                "Direction is kept": swapped,
                "Error is within the threshold of its type": {"relative_error": 0.12},
                "No element is off by more than half its block's maximum": swapped,
            },
            _rounded_to_16_levels(grid(4)[grid(4).any(axis=-1)]),
        ),
        Case(
            stem,
            "bit_ordering",
            {
                "fine_error": fine["relative_error"],
                "coarse_error": coarse["relative_error"],
                "fine_bits": 8.5,
                "coarse_bits": 4.5,
            },
            {
                "fine_bits > coarse_bits": {"fine_bits": 4.5},
                "More bits do not do worse": {"fine_error": 0.2},
            },
            {
                "fine_error": 2.0 ** -np.arange(3, 8),
                "coarse_error": 2.0 ** -np.arange(2, 7),
                "fine_bits": np.arange(3, 8),
                "coarse_bits": np.arange(2, 7),
            },  # fmt: skip
        ),
        Case(
            stem,
            "signal_to_noise",
            {"relative_error": ratio, "snr_db": -20 * np.log10(ratio)},
            {
                "relative_error > 0": {"relative_error": ratio - 0.1},
                "Decibels of the relative error": {"snr_db": -10 * np.log10(ratio)},
            },
            {"relative_error": 10.0 ** -np.arange(5), "snr_db": 20.0 * np.arange(5)},
        ),
        Case(
            stem,
            "metric_consistency",
            good,
            {
                "relative_error in [0, 1]": {"relative_error": 1.5},
                "Cosine and relative error agree": {"cosine": 0.99},
            },
            _every_pair(grid(3)),
        ),
    ]


def _blocks(codes: Array, scale: Array, minimum: Array, bits: int) -> Fields:
    return {
        "codes": codes, "scale": scale, "minimum": minimum, "bits": bits,
        "ret": (scale * codes.astype(np.float32) + minimum).astype(np.float32),
    }  # fmt: skip


def _product(x: Array, w: Array, q: Array) -> Fields:
    norm = np.linalg.norm(w.astype(np.float64))
    return {
        "x": x,
        "ret": x @ q.T,
        "reference": x @ w.T,
        "weight_norm": float(norm),
        "relative_error": float(np.linalg.norm(w.astype(np.float64) - q) / norm),
    }


def _quantised_matmul_cases() -> list[Case]:
    stem = "quantized-matmul-v1"
    w, x = normal(64, 256), normal(5, 256)
    packed = quantize(w, Quant.Q4_0).reshape(-1, 18)
    scale = packed[:, :2].copy().view(np.float16).astype(np.float32)
    codes = np.concatenate([packed[:, 2:] & 15, packed[:, 2:] >> 4], axis=-1)
    good = _blocks(codes, scale, -8 * scale, 4) | {
        "ret": _requantised(w, Quant.Q4_0).reshape(-1, 32)
    }
    product = _product(x, w, _requantised(w, Quant.Q4_0))
    block_bytes, block_size = whole(2)
    return [
        Case(
            stem,
            "dequantise",
            good,
            {
                "0 <= codes < 2 ** bits": {"codes": codes + np.uint8(4)},
                "all(isfinite(scale)) and all(isfinite(minimum))": {
                    "scale": planted(scale, 0, np.nan)
                },
                "Affine in the codes": {"ret": np.roll(good["ret"], 16, axis=-1)},
            },
            _blocks(np.arange(16)[None], grid(1), grid(1)[::-1], 4),
        ),
        Case(
            stem,
            "matmul",
            product,
            {
                "shape(ret) == shape(reference)": {"reference": product["reference"][:4]},
                "relative_error >= 0": {"relative_error": -0.1},
                "Error is at most that of the weights": {"ret": product["ret"][:, ::-1]},
            },
            _product(grid(4, 3), grid(4, 3), grid(4, 3) + np.float32(0.125)),
            3,
        ),
        Case(
            stem,
            "bits_per_weight",
            {"block_bytes": 18, "block_size": 32, "bits_per_weight": 4.5},
            {
                "block_size >= 1": {"block_size": 0},
                "Scales count as bits": {"bits_per_weight": 4},
            },
            {
                "block_bytes": block_bytes,
                "block_size": block_size,
                "bits_per_weight": 8 * block_bytes / block_size,
            },
        ),
    ]


CASES = [*_f16_cases(), *_quantisation_cases(), *_quantised_matmul_cases()]
