"""Claims about the KV cache."""

from __future__ import annotations

import numpy as np
import pytest

from tracepact.engines.reference.kv_cache import GUARD_POSITIONS, KvCache
from tracepact.errors import ConfigError
from tracepact.types import Array


def heads(tokens: int, value: float = 1.0) -> Array:
    return np.full((tokens, 2, 3), value, dtype=np.float32)


def cache(capacity: int = 4) -> KvCache:
    return KvCache(layers=2, capacity=capacity, kv_heads=2, head_dim=3)


def test_keys_and_values_have_room_for_the_guard() -> None:
    assert cache().keys.shape == cache().values.shape == (2, 2, 4 + GUARD_POSITIONS, 3)
    assert GUARD_POSITIONS >= 1


def test_append_stores_where_it_is_told_and_counts() -> None:
    kv = cache()
    kv.append(1, 0, heads(2, 1.0), heads(2, 2.0))
    kv.append(1, 2, heads(1, 3.0), heads(1, 4.0))
    assert kv.keys[1, 0, :, 0].tolist() == [1.0, 1.0, 3.0, 0.0, 0.0]
    assert kv.values[1, 1, :, 2].tolist() == [2.0, 2.0, 4.0, 0.0, 0.0]
    assert not kv.keys[0].any()
    assert kv.used == 3


def test_tokens_and_heads_are_not_mixed_up() -> None:
    kv, x = cache(), np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    assert np.array_equal(kv.write_keys(x=x, layer=0, position=1), x)
    assert np.array_equal(kv.keys[0, :, 1:3].transpose(1, 0, 2), x)


def test_a_write_returns_a_view_of_what_the_cache_holds() -> None:
    kv = cache()
    held = kv.write_values(x=heads(1), layer=0, position=0)
    held[...] = 7.0
    assert kv.values[0, 0, 0].tolist() == [7.0, 7.0, 7.0]


@pytest.mark.parametrize(("position", "tokens"), [(0, 5), (4, 1), (3, 2), (-1, 1)])
def test_a_write_beyond_the_capacity_writes_nothing(position: int, tokens: int) -> None:
    kv = cache()
    with pytest.raises(ConfigError, match=r"do not fit into a KV cache of 4; generate fewer"):
        kv.append(0, position, heads(tokens), heads(tokens))
    assert not kv.keys.any()
    assert not kv.values.any()
    assert kv.used == 0


def test_a_full_cache_leaves_the_guard_zero() -> None:
    kv = cache()
    for layer in range(2):
        kv.append(layer, 0, heads(4), heads(4))
    assert not kv.keys[:, :, 4:].any()
    assert not kv.values[:, :, 4:].any()


def test_bytes_count_the_whole_cache() -> None:
    assert cache().bytes == 2 * 4 * (2 * 2 * 5 * 3)


def test_reset_forgets_positions_and_clears_the_guard() -> None:
    kv = cache()
    kv.append(0, 0, heads(4), heads(4))
    kv.keys[0, 0, 4] = kv.values[0, 0, 4] = 1.0
    kv.reset()
    assert kv.used == 0
    assert not kv.keys[:, :, 4:].any()
    assert not kv.values[:, :, 4:].any()


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        KvCache(layers=1, capacity=0, kv_heads=1, head_dim=1)


def test_too_little_memory_says_what_to_change() -> None:
    with pytest.raises(ConfigError, match="no memory .* pass a smaller context_length"):
        KvCache(layers=1, capacity=2**60, kv_heads=2**20, head_dim=128)
