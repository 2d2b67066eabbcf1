"""Objects whose methods tracepact's own bindings name, for the tests made from contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from tracepact.testing import strategy


@strategy("kv-cache-equivalence-v1", "append", function="KvCache.write_keys")
@strategy("kv-cache-equivalence-v1", "append", function="KvCache.write_values")
def _cache(draw: Callable[..., Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cache with room for `x`, wherever it is put; it stores float32."""
    from tracepact.engines.reference.kv_cache import KvCache  # noqa: PLC0415 - as late as can be

    x = given["x"].astype("float32")
    tokens, heads, width = x.shape
    layers, before, after = (draw(st.integers(low, 3)) for low in (1, 0, 0))
    return {
        "self": KvCache(layers, before + tokens + after, heads, width),
        "x": x,
        "layer": draw(st.integers(0, layers - 1)),
        "position": before,
    }


@strategy("sampling-algorithms-v1", "sample", function="Sampler.sample")
def _sampler(draw: Callable[..., Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Samplers of every setting."""
    from tracepact.engines.reference.sampling import Sampler  # noqa: PLC0415 - as late as can be

    return {
        "self": Sampler(
            draw(st.sampled_from((0.0, 0.1, 1.0, 5.0))),
            draw(st.integers(0, 5)),
            draw(st.sampled_from((0.1, 0.9, 1.0))),
            draw(st.integers(0, 100)),
        )
    }
