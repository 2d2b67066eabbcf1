"""f16-conversion-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.types import Array


@contract("f16-conversion-v1", "narrow")
def to_float16(x: Array) -> Array:
    """X [...] of magnitudes below 65520, rounded to the nearest float16, ties to even."""
    with np.errstate(under="ignore"):
        return x.astype(np.float16)


@contract("f16-conversion-v1", "overflow")
def to_float16_overflowing(x: Array) -> Array:
    """X [...] of magnitudes from 65520 on, in float16: infinity of the same sign."""
    with np.errstate(over="ignore"):
        return x.astype(np.float16)


@contract("f16-conversion-v1", "widen")
def to_float32(x: Array) -> Array:
    """X [...] in float16 as float32, exactly, subnormal numbers as well."""
    return x.astype(np.float32)


@contract("f16-conversion-v1", "roundtrip")
def float16_roundtrip(original: Array) -> Array:
    """Float16 [...] widened to float32 and narrowed again."""
    return original.astype(np.float32).astype(np.float16)


@contract("f16-conversion-v1", "storage")
def stored_as_float16(x: Array) -> Array:
    """Float32 [...] as it comes back from a file of float16, in float32."""
    with np.errstate(under="ignore"):
        return x.astype(np.float16).astype(np.float32)


@contract("f16-conversion-v1", "narrow_bfloat16")
def to_bfloat16(x: Array) -> Array:
    """Float32 [...] rounded to the nearest bfloat16, ties to even; held in float32.

    NumPy has no such type: half a unit of the upper 16 bits is added, then the lower ones are cut.
    """
    bits = x.astype(np.float32).view(np.uint32)
    half = np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (bits + half & np.uint32(0xFFFF0000)).view(np.float32)
