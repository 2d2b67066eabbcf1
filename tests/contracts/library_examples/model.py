"""model-config-algebra-v1, tensor-shape-flow-v1, kv-cache-sizing-v1, kv-cache-equivalence-v1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from library_examples.case import Case, Fields, matrices, normal, planted, rows, scaled, whole

from tracepact.kernels.attention import attention_output, attention_scores
from tracepact.kernels.blocks import feed_forward, output_head, residual_add
from tracepact.kernels.kv_cache import append, decode
from tracepact.kernels.projections import linear
from tracepact.kernels.sizes import (
    attention_width,
    bytes_per_token,
    cache_bytes,
    grouped_cache_bytes,
    largest_cache,
    layer_parameters,
    logits_of,
    total_parameters,
)
from tracepact.kernels.softmaxes import softmax
from tracepact.types import Array

_SIGNS = (-1, 0, 2)

# SmolLM2-135M.
_CONFIG: Fields = {
    "vocab": 49_152, "hidden": 576, "ff": 1_536, "layers": 30, "heads": 9, "kv_heads": 3,
    "head_dim": 64, "tied": 1,
}  # fmt: skip


def _counted(config: Fields) -> Fields:
    """A configuration with the parameters counted tensor by tensor."""
    d, width, kv = (
        config["hidden"],
        config["heads"] * config["head_dim"],
        config["kv_heads"] * config["head_dim"],
    )
    projections = d * width + d * kv + d * kv + width * d
    layer = projections + d * config["ff"] + d * config["ff"] + config["ff"] * d + d + d
    tables = config["vocab"] * d * np.where(np.equal(config["tied"], 1), 1, 2)
    return config | {
        "q_width": width,
        "kv_width": kv,
        "layer_params": layer,
        "total_params": tables + config["layers"] * layer + d,
    }


def _every_width() -> list[Fields]:
    heads, kv_heads, head_dim = whole(3, 6)
    fits = (heads % kv_heads == 0) & (head_dim % 2 == 0)
    fields: Fields = {
        "heads": heads[fits], "kv_heads": kv_heads[fits], "head_dim": head_dim[fits],
    }  # fmt: skip
    fields |= {name: np.empty_like(fields["heads"]) for name in ("q_width", "kv_width")}
    attention_width(**fields)
    return [fields]


def _every_layer() -> list[Fields]:
    names = ("hidden", "heads", "kv_heads", "head_dim", "ff")
    fields = dict(zip(names, whole(5, 3), strict=True))
    return [fields | {"layer_params": layer_parameters(**fields)}]


def _every_model() -> list[Fields]:
    names = ("vocab", "hidden", "layers", "layer_params")
    fields = dict(zip(names, whole(4, 3), strict=True))
    return [
        fields | {"tied": tied, "total_params": total_parameters(**fields, tied=tied)}
        for tied in (0, 1)
    ]


def _every_logit() -> list[Fields]:
    output = rows(2, -1e4, -1, 0, 2, 1e4)
    return [
        {
            "logits": logits_of(state, output),
            "output_norms": np.linalg.norm(output, axis=-1),
            "hidden_norm": float(np.linalg.norm(state)),
        }
        for state in output
    ]


def _config_cases() -> list[Case]:
    good = _counted(_CONFIG)
    output, hidden_state = normal(50, 16), normal(51, 16)[50]
    logits, bound = logits_of(hidden_state, output), np.linalg.norm(output, axis=-1)
    return [
        Case(
            "model-config-algebra-v1",
            "attention_width",
            good,
            {
                "heads % kv_heads == 0": {"kv_heads": 4},
                "head_dim % 2 == 0": {"head_dim": 63},
                "Query width": {"q_width": 512},
                "Key and value width": {"kv_width": 576},
            },
            _every_width,
            6,
            "up to 6 heads in groups of one size, of an even number of up to 6 channels",
        ),
        Case(
            "model-config-algebra-v1",
            "layer_parameters",
            good,
            {
                "ff >= 1 and hidden >= 1": {"ff": 0},
                # Norms of queries and keys were counted as well.
                "Parameters of a layer add up": {"layer_params": good["layer_params"] + 2 * 64},
            },
            _every_layer,
            3,
            "hidden, heads, kv_heads, head_dim and ff each from 1 to 3",
        ),
        Case(
            "model-config-algebra-v1",
            "total_parameters",
            good,
            {
                "tied == 0 or tied == 1": {"tied": 2},
                "Parameters of the model add up": {"tied": 0},
            },
            _every_model,
            3,
            "vocab, hidden, layers and layer_params each from 1 to 3, tied and not",
        ),
        Case(
            "model-config-algebra-v1",
            "logit_bound",
            {
                "logits": logits,
                "output_norms": bound,
                "hidden_norm": np.linalg.norm(hidden_state),
            },
            {
                "output_norms >= 0 and hidden_norm >= 0": {"output_norms": -bound},
                "Logits obey Cauchy-Schwarz": {"logits": scaled(logits, slice(None), 50)},
            },
            _every_logit,
            5,
            "hidden states and output rows of 2 channels out of +-1e4, -1, 0 and 2",
        ),
    ]


def _every_residual() -> list[Fields]:
    x, update = rows(2, -65_504, -1, -(2.0**-24), 0, 2.0**-24, 1, 65_504).T
    return [{"x": x[None], "update": update[None], "ret": residual_add(x[None], update[None])}]


def _every_projection() -> Iterator[Fields]:
    for tokens, hidden, groups, kv_heads, head_dim in product((1, 2), repeat=5):
        x, heads = normal(tokens, hidden), groups * kv_heads
        query, key, value = (
            linear(x, normal(width * head_dim, hidden)) for width in (heads, kv_heads, kv_heads)
        )
        yield {
            "x": x, "query": query, "key": key, "value": value,
            "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim,
        }  # fmt: skip


def _every_block() -> Iterator[Fields]:
    for tokens, hidden, width in product((1, 2, 3), repeat=3):
        x = normal(tokens, hidden)
        gate, up = (linear(x, normal(width, hidden)) for _ in range(2))
        ret = feed_forward(x, gate, up, normal(hidden, width))
        yield {"x": x, "gate": gate, "up": up, "ret": ret}


def _every_head() -> Iterator[Fields]:
    for tokens, hidden, vocab in product((1, 2, 3), repeat=3):
        x, embedding = normal(tokens, hidden), normal(vocab, hidden)
        logits = output_head(x, embedding, vocab)
        yield {"x": x, "embedding": embedding, "logits": logits, "vocab": vocab}


def _shape_cases() -> list[Case]:
    x, update = normal(6, 32), normal(7, 32)[1:]
    shapes: Fields = {
        "x": x, "query": normal(6, 64), "key": normal(6, 16), "value": normal(6, 16),
        "heads": 8, "kv_heads": 2, "head_dim": 8,
    }  # fmt: skip
    block: Fields = {"x": x, "gate": normal(6, 80), "up": normal(6, 80), "ret": update}
    return [
        Case(
            "tensor-shape-flow-v1",
            "residual",
            {"x": x, "update": update, "ret": x + update},
            {
                "shape(x) == shape(update)": {"update": update[:1]},
                "Stream keeps its shape": {"ret": (x + update)[:5]},
                "Stream is the sum of stream and update": {"ret": planted(x + update, 3, x[3])},
            },
            _every_residual,
            7,
            "an element and its update each out of +-65504, +-1, +-2^-24 and 0",
        ),
        Case(
            "tensor-shape-flow-v1",
            "projection_shapes",
            shapes,
            {
                "heads % kv_heads == 0": {"kv_heads": 3},
                "Queries have heads * head_dim columns": {"query": normal(6, 32)},
                "Keys and values have kv_heads * head_dim columns": {"key": normal(6, 64)},
            },
            _every_projection,
            2,
            "1 or 2 tokens, channels, groups, key heads and channels a head; shapes are all that "
            "counts",
        ),
        Case(
            "tensor-shape-flow-v1",
            "feed_forward",
            block,
            {
                "ndim(x) == 2": {"x": x[0]},
                "Gate and up have one shape": {"up": normal(6, 40)},
                "Block returns to the width of the stream": {"ret": normal(6, 80)},
            },
            _every_block,
            3,
            "from 1 to 3 tokens, channels and inner channels; shapes are all that counts",
        ),
        Case(
            "tensor-shape-flow-v1",
            "logits_shape",
            {"x": x, "embedding": normal(200, 8), "logits": normal(1, 200), "vocab": 200},
            {
                "vocab >= 1": {"vocab": 0},
                "len(embedding) == vocab": {"embedding": normal(8, 200)},
                "One logit a token of the vocabulary": {"logits": normal(1, 256)},
            },
            _every_head,
            3,
            "from 1 to 3 tokens, channels and words; shapes are all that counts",
        ),
    ]


def _every_token() -> list[Fields]:
    names = ("layers", "kv_heads", "head_dim", "bytes_per_element")
    fields = dict(zip(names, whole(4), strict=True))
    return [fields | {"bytes_per_token": bytes_per_token(**fields)}]


def _every_cache() -> list[Fields]:
    names = ("bytes_per_token", "capacity", "sequences")
    fields = dict(zip(names, whole(3), strict=True))
    return [fields | {"cache_bytes": cache_bytes(**fields)}]


def _every_grouping() -> list[Fields]:
    a_head, heads, kv_heads = whole(3)
    fits = kv_heads <= heads
    fields: Fields = {
        "mha_bytes": (a_head * heads)[fits], "heads": heads[fits], "kv_heads": kv_heads[fits],
    }  # fmt: skip
    return [fields | {"gqa_bytes": grouped_cache_bytes(**fields)}]


def _every_fit() -> list[Fields]:
    weights, a_token, spare = whole(3)
    memory = weights + spare - 1
    size = largest_cache(weights, a_token, memory)
    return [{"weights_bytes": weights, "cache_bytes": size, "memory_bytes": memory}]


def _sizing_cases() -> list[Case]:
    stem = "kv-cache-sizing-v1"
    a_token = _CONFIG | {"bytes_per_element": 2, "bytes_per_token": 23_040}
    cache = {
        "bytes_per_token": 23_040,
        "capacity": 8_192,
        "sequences": 1,
        "cache_bytes": 23_040 << 13,
    }
    return [
        Case(
            stem,
            "bytes_per_token",
            a_token,
            {
                "layers >= 1 and kv_heads >= 1 and head_dim >= 1": {"kv_heads": 0},
                "bytes_per_element in (0, 8]": {"bytes_per_element": 16},
                "Keys and values of every layer": {"bytes_per_token": 2 * 30 * 9 * 64 * 2},
            },
            _every_token,
            5,
            "layers, kv_heads, head_dim and bytes_per_element each from 1 to 5",
        ),
        Case(
            stem,
            "cache_bytes",
            cache,
            {
                "capacity >= 1 and sequences >= 1": {"capacity": 0},
                "Cache holds every position": {"cache_bytes": 23_040 * 4_096},
                "Cache wastes at most a tenth": {"cache_bytes": 3 * 23_040 * 8_192},
            },
            _every_cache,
            5,
            "bytes_per_token, capacity and sequences each from 1 to 5",
        ),
        Case(
            stem,
            "gqa_saving",
            {"gqa_bytes": 23_040, "mha_bytes": 69_120, "heads": 9, "kv_heads": 3},
            {
                "kv_heads <= heads": {"kv_heads": 18},
                "mha_bytes % heads == 0": {"mha_bytes": 69_121},
                "Grouped heads shrink the cache in proportion": {"gqa_bytes": 69_120},
            },
            _every_grouping,
            5,
            "bytes of a head, heads and kv_heads each from 1 to 5, kv_heads at most heads",
        ),
        Case(
            stem,
            "memory_fit",
            {"weights_bytes": 98e6, "cache_bytes": 188_743_680, "memory_bytes": 8e9},
            {
                "memory_bytes > 0": {"memory_bytes": 0},
                "Weights and cache fit into memory": {"cache_bytes": 8e9},
            },
            _every_fit,
            5,
            "bytes of weights and of a position each from 1 to 5, and as much memory as the "
            "weights or up to 4 more",
        ),
    ]


def _last_step(x: Array, keys: Array, values: Array) -> Fields:
    """The last query alone against the cache, and the last row of a pass over all queries."""
    everything = attention_output(softmax(attention_scores(x, keys, 0.5)), values)
    return {"ret": decode(x[-1:], keys, values, 0.5), "reference": everything[-1]}


def _every_append() -> Iterator[Fields]:
    """Every two small rows at every position of a cache of four."""
    for x in matrices(2, 2, *_SIGNS)[:, :, None]:
        for position in range(3):
            cache = np.full((4, 1, 2), 7, np.float32)
            prefix = cache[:position]
            before = prefix.copy()
            ret = append(x, cache, position, prefix)
            yield {"x": x, "ret": ret, "prefix": prefix, "old(prefix)": before}


def _every_step() -> Iterator[Fields]:
    for keys, values in product(rows(2, *_SIGNS), repeat=2):
        for queries in rows(2, *_SIGNS):
            yield _last_step(queries[:, None, None], keys[None, :, None], values[None, :, None])


_APPENDED_TEXT = "2 rows of 2 channels out of -1, 0 and 2, at each position of a cache of 4"


def _cache_cases() -> list[Case]:
    stem = "kv-cache-equivalence-v1"
    x = normal(4, 2, 16)
    prefix = normal(9, 2, 16)
    keys, values = normal(2, 9, 16), normal(3, 9, 16)[1:]
    queries = normal(9, 4, 16)
    step = _last_step(queries, keys, values)
    return [
        Case(
            stem,
            "append",
            {"x": x, "ret": x.astype(np.float16)},
            {
                "all(isfinite(x))": {"x": planted(x, (3, 1, 15), np.nan)},
                "Every position is written": {"ret": x[:3]},
                "Cache holds what was written": {"ret": scaled(x, (2, 1))},
            },
            _every_append,
            3,
            _APPENDED_TEXT,
        ),
        Case(
            stem,
            "prefix",
            {"prefix": prefix, "old(prefix)": prefix.copy()},
            {
                "all(isfinite(prefix))": {"prefix": planted(prefix, (0, 0, 0), np.nan)},
                "Old positions are left alone": {"prefix": planted(prefix, 8, x[0])},
            },
            _every_append,
            3,
            _APPENDED_TEXT,
        ),
        Case(
            stem,
            "decode",
            step,
            {
                "shape(ret) == shape(reference)": {"ret": step["ret"][None]},
                # The newest key is missing.
                "Equals full recomputation": {
                    "ret": _last_step(queries[1:], keys[:, :8], values[:, :8])["ret"]
                },
            },
            _every_step,
            3,
            "2 queries, keys and values of one channel out of -1, 0 and 2",
        ),
    ]


CASES = [*_config_cases(), *_shape_cases(), *_sizing_cases(), *_cache_cases()]
