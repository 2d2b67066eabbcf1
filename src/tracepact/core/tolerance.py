"""How far a correct result may be off, by storage dtype and by the length of its sums.

A contract states one tolerance, meant for float32 and short rows. What correct arithmetic reaches
depends on more: a sequential float32 sum of n terms drifts with n (largest error of a correct
softmax row measured as 1e-6 at 1 024 terms, 6e-6 at 8 192, 2e-4 at 131 072), and storing n
elements in a narrow type rounds each of them (3e-4 for float16, 2e-3 for bfloat16).
"""

from __future__ import annotations

TERMS_PER_TOLERANCE = 256
"""A contract's tolerance covers a sum of this many terms; longer sums get it in proportion."""

ROUNDING: dict[str, tuple[float, float]] = {
    # dtype: (unit roundoff, half of the smallest subnormal: what underflow costs an element)
    "float16": (2.0**-11, 2.0**-25),
    "bfloat16": (2.0**-8, 0.0),
    "float8_e4m3fn": (2.0**-4, 2.0**-10),
    "float8_e5m2": (2.0**-3, 2.0**-17),
}


def scaled_tolerance(base: float, dtype: str, terms: int = 1) -> float:
    """The tolerance for values stored as `dtype` that were summed over `terms` elements.

    Args:
        base: The contract's tolerance.
        dtype: Name of the storage dtype, as in `"float16"`; types of 32 bits and more add nothing.
        terms: Length of the row or array that is summed; 1 where nothing is.
    """
    growth = max(1.0, terms / TERMS_PER_TOLERANCE)
    roundoff, underflow = ROUNDING.get(dtype, (0.0, 0.0))
    return base * growth + roundoff + underflow * terms
