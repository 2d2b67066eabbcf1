"""f16-conversion-v1, quantization-ordering-v1, quantized-matmul-v1."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
from gguf.constants import GGMLQuantizationType as Quant
from gguf.quants import dequantize, quantize
from library_examples.case import (
    Case,
    Fields,
    between_float16,
    every_float16,
    matrices,
    normal,
    planted,
    rows,
    whole,
)

from tracepact.kernels.conversions import (
    float16_roundtrip,
    stored_as_float16,
    to_bfloat16,
    to_float16,
    to_float16_overflowing,
    to_float32,
)
from tracepact.kernels.quantisation import (
    bits_per_weight,
    cosine,
    dequantise,
    quantise,
    quantised_matmul,
    relative_error,
    signal_to_noise,
)
from tracepact.types import Array

_BETWEEN_TEXT = (
    "every finite float16, and the points a quarter, half and 3/4 of the way to the next"
)
_TRUNKS = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
"""Every number of bfloat16, as float32."""


def _between_bfloat16() -> Array:
    """Every finite bfloat16, and points a quarter, half and 3/4 of the way to the next."""
    every = np.sort(_TRUNKS[np.isfinite(_TRUNKS)].astype(np.float64))
    steps = every[:-1] + np.diff(every) * np.array([0, 0.25, 0.5, 0.75])[:, None]
    return steps.ravel().astype(np.float32)


def _every_overflow() -> list[Fields]:
    x = np.concatenate(
        [_TRUNKS[np.abs(_TRUNKS) >= 65_520], np.array([65_520, -65_520], np.float32)]
    )
    return [{"x": x, "ret": to_float16_overflowing(x)}]


def _every_stored() -> list[Fields]:
    x = between_float16()
    x = x[(x == 0) | (np.abs(x) >= 2.0**-14)]
    return [{"x": x, "ret": stored_as_float16(x)}]


def _every_bfloat16() -> list[Fields]:
    x = _between_bfloat16()
    ret = to_bfloat16(x)
    assert (ret == x.astype(ml_dtypes.bfloat16)).all()  # ties included
    return [{"x": x, "ret": ret}]


def _cut(x: Array) -> Array:
    """Towards zero in bfloat16: the lower 16 bits dropped."""
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def _f16_cases() -> list[Case]:
    stem = "f16-conversion-v1"
    x = normal(400, scale=100)
    every = every_float16().astype(np.float16)
    towards_zero = x.astype(np.float16)
    away = np.abs(towards_zero) > np.abs(x)
    towards_zero[away] = np.nextafter(towards_zero[away], np.float16(0))
    large = np.array([65_520, -1e6, np.inf, -np.inf], np.float32)
    subnormal = np.array([6e-8, -3e-6, 0.5], np.float16)
    return [
        Case(
            stem,
            "narrow",
            {"x": x, "ret": to_float16(x)},
            {
                "abs(x) < 65520": {"x": planted(x, 3, 65_520.0)},
                "Rounded to half a unit in the last place": {"ret": towards_zero},
                "Sign is kept": {"ret": planted(x.astype(np.float16), 5, -x[5])},
            },
            lambda: [{"x": between_float16(), "ret": to_float16(between_float16())}],
            1 << 16,
            _BETWEEN_TEXT,
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
            _every_overflow,
            1 << 16,
            "65520 and every bfloat16 above, of both signs, infinities among them",
        ),
        Case(
            stem,
            "widen",
            {"x": subnormal, "ret": to_float32(subnormal)},
            {
                "itemsize(x) == 2": {"x": subnormal.astype(np.float32)},
                "not any(isnan(x))": {"x": planted(subnormal, 0, np.nan)},
                "Widening is exact": {"ret": np.array([0, 0, 0.5], np.float32)},
                "Result has 32 bits": {"ret": subnormal},
            },
            lambda: [{"x": every, "ret": to_float32(every)}],
            1 << 16,
            "every float16 that is no NaN",
        ),
        Case(
            stem,
            "roundtrip",
            {"original": subnormal, "ret": float16_roundtrip(subnormal)},
            {
                "not any(isnan(original))": {"original": planted(subnormal, 1, np.nan)},
                "Widening and narrowing is the identity": {
                    "ret": np.array([0, 0, 0.5], np.float16)
                },
            },
            lambda: [{"original": every, "ret": float16_roundtrip(every)}],
            1 << 16,
            "every float16 that is no NaN",
        ),
        Case(
            stem,
            "storage",
            {"x": x, "ret": stored_as_float16(x)},
            {
                "where(x == 0, 1, abs(x)) >= 2.0 ** -14": {"x": planted(x, 0, 1e-6)},
                "abs(x) < 65520": {"x": planted(x, 0, 65_520.0)},
                "Storing keeps 11 bits": {"ret": to_bfloat16(x)},
            },
            _every_stored,
            1 << 16,
            "0 and every normal float16, and the points a quarter, half and 3/4 of the way to the "
            "next",
        ),
        Case(
            stem,
            "narrow_bfloat16",
            {"x": x, "ret": to_bfloat16(x)},
            {
                "abs(x) < 2.0 ** 128 * (1 - 2.0 ** -9)": {"x": planted(x, 0, np.inf)},
                "itemsize(x) <= 4": {"x": x.astype(np.float64)},
                "bfloat16 is rounded, not cut": {"ret": _cut(x)},
            },
            _every_bfloat16,
            1 << 16,
            "every finite bfloat16, and the points a quarter, half and 3/4 of the way to the next",
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
    return {"cosine": cosine(w, q), "relative_error": relative_error(w, q)}


def _rounded(w: Array, bits: int) -> Array:
    return dequantise(*quantise(w, bits), bits)


_WHOLE_ROWS = rows(4, -2, -1, 0, 1, 2)
_WHOLE_ROWS = _WHOLE_ROWS[_WHOLE_ROWS.any(axis=-1)]
_BLOCKS_TEXT = "every row of 4 whole numbers from -2 to 2 that is not zero, as a block of its own"


def _every_rounded() -> list[Fields]:
    w, q = _WHOLE_ROWS, _rounded(_WHOLE_ROWS, 4)
    return [
        _row_errors(w, q)
        | {
            "threshold": 0.1,
            "max_abs_error": np.abs(w - q).max(axis=-1),
            "block_max": np.abs(w).max(axis=-1),
        }
    ]


def _every_refinement() -> list[Fields]:
    error = {bits: relative_error(_WHOLE_ROWS, _rounded(_WHOLE_ROWS, bits)) for bits in (4, 8)}
    return [{"fine_error": error[8], "coarse_error": error[4], "fine_bits": 8, "coarse_bits": 4}]


def _every_noise() -> list[Fields]:
    part, whole_part = whole(2)
    ratio = part / whole_part
    return [{"relative_error": ratio, "snr_db": signal_to_noise(ratio)}]


def _every_pair() -> list[Fields]:
    """Every row against every other one that is no further away than it is long."""
    every = rows(3, -2, -1, 0, 1, 2)
    w, q = (every[part.ravel()] for part in np.indices((125, 125)))
    near = (np.linalg.norm(w - q, axis=-1) <= np.linalg.norm(w, axis=-1)) & q.any(axis=-1)
    near &= w.any(axis=-1)
    return [_row_errors(w[near], q[near])]


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
            _every_rounded,
            5,
            f"{_BLOCKS_TEXT}, in 4 bits",
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
            _every_refinement,
            5,
            f"{_BLOCKS_TEXT}, in 4 and in 8 bits",
        ),
        Case(
            stem,
            "signal_to_noise",
            {"relative_error": ratio, "snr_db": -20 * np.log10(ratio)},
            {
                "relative_error > 0": {"relative_error": ratio - 0.1},
                "Decibels of the relative error": {"snr_db": -10 * np.log10(ratio)},
            },
            _every_noise,
            5,
            "ratios of whole numbers from 1 to 5",
        ),
        Case(
            stem,
            "metric_consistency",
            good,
            {
                "relative_error in [0, 1]": {"relative_error": 1.5},
                "Cosine and relative error agree": {"cosine": 0.99},
            },
            _every_pair,
            5,
            "pairs of rows of 3 whole numbers from -2 to 2, no further apart than the first one is "
            "long",
        ),
    ]


def _blocks(codes: Array, scale: Array, minimum: Array, bits: int) -> Fields:
    return {
        "codes": codes, "scale": scale, "minimum": minimum, "bits": bits,
        "ret": dequantise(codes, scale, minimum, bits),
    }  # fmt: skip


def _every_block() -> list[Fields]:
    scale, minimum = rows(2, -1e4, -1, 0, 2.0**-14, 1).T[:, :, None]
    return [_blocks(np.arange(16)[None], scale, minimum, 4)]


def _product(x: Array, w: Array, q: Array) -> Fields:
    return {"x": x, "ret": x @ q.T} | _of_weights(x, w, q)


def _of_weights(x: Array, w: Array, q: Array) -> Fields:
    norm = np.linalg.norm(w.astype(np.float64))
    return {
        "reference": x @ w.T,
        "weight_norm": float(norm),
        "relative_error": float(np.linalg.norm(w.astype(np.float64) - q) / norm),
    }


def _every_product() -> Iterator[Fields]:
    x = rows(2, -1, 0, 2)
    for w in filter(np.any, matrices(2, 2, -1, 0, 2)):
        blocks = quantise(w, 3)
        yield {"x": x, "ret": quantised_matmul(x, *blocks, 3)} | _of_weights(x, w, _rounded(w, 3))


def _every_density() -> list[Fields]:
    size, block = whole(2)
    bits = bits_per_weight(size, block)
    return [{"block_bytes": size, "block_size": block, "bits_per_weight": bits}]


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
    return [
        Case(
            stem,
            "dequantise",
            good,
            {
                "0 <= codes < 2 ** bits": {"codes": codes + np.uint8(4)},
                "bits in [1, 16]": {"bits": 32},
                "all(isfinite(scale)) and all(isfinite(minimum))": {
                    "scale": planted(scale, 0, np.nan)
                },
                "Affine in the codes": {"ret": np.roll(good["ret"], 16, axis=-1)},
            },
            _every_block,
            16,
            "every code of 4 bits with every scale and minimum out of -1e4, -1, 0, 2^-14 and 1",
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
            _every_product,
            3,
            "every row of 2 and every 2 x 2 weight but zero, out of -1, 0 and 2, in 3 bits",
        ),
        Case(
            stem,
            "bits_per_weight",
            {"block_bytes": 18, "block_size": 32, "bits_per_weight": 4.5},
            {
                "block_size >= 1": {"block_size": 0},
                "Scales count as bits": {"bits_per_weight": 4},
            },
            _every_density,
            5,
            "blocks of 1 to 5 bytes and 1 to 5 weights",
        ),
    ]


CASES = [*_f16_cases(), *_quantisation_cases(), *_quantised_matmul_cases()]
