"""The input of a failure, made easier to read than a general search leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tracepact.testing.claim import BrokenError, Claim
from tracepact.types import Array


def simplified(claim: Claim, error: BrokenError) -> BrokenError:
    """The failure of a simpler input: zeros, ones, round or small numbers, if it still fails.

    Inputs that a strategy has made stay as they are: they may depend on each other. At most some
    ten calls an input.
    """
    if claim.inputs.complete is not None:
        return error
    for name in error.inputs:
        for value in _simpler(error.inputs[name]):
            found = _tried(claim, {**error.inputs, name: value})
            if found is not None and (found.violation is None) == (error.violation is None):
                error = found
                break
    return error


def _tried(claim: Claim, inputs: Mapping[str, Any]) -> BrokenError | None:
    try:
        if claim.admits(inputs):
            claim.try_on(inputs)
    except BrokenError as error:
        return error
    return None


def _simpler(value: Any) -> Iterator[Any]:
    """Candidates, the simplest first; those that are as they were are left out."""
    if isinstance(value, float):
        yield from (each for each in (1.0, float(f"{value:.1g}")) if each != value)
        return
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fV":
        return
    for each in _arrays(value):
        made = each.astype(value.dtype)
        if not np.array_equal(made, value):
            yield made


def _arrays(value: Array) -> Iterator[Array]:
    finite = np.isfinite(value)
    with np.errstate(all="ignore"):
        yield np.where(finite, 0.0, value)
        yield np.where(finite, 1.0, value)
        for limit in (1.0, 100.0, 1000.0, 1e4, 1e5):
            yield np.where(finite, np.round(np.clip(value, -limit, limit)), value)
        yield np.where(finite, np.round(value, 1), value)
