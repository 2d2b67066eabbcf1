"""model-config-algebra-v1, tensor-shape-flow-v1, kv-cache-sizing-v1, kv-cache-equivalence-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, scaled, whole
from library_examples.kernels import attention_output, attention_scores, softmax

from tracepact.types import Array

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


def _config_cases() -> list[Case]:
    good = _counted(_CONFIG)
    vocab, hidden, layers, kv_heads, groups, tied = whole(6, 3)
    small = _counted(
        {
            "vocab": vocab,
            "hidden": hidden,
            "ff": 2 * hidden,
            "layers": layers,
            "heads": kv_heads * groups,
            "kv_heads": kv_heads,
            "head_dim": 2 * groups,
            "tied": tied % 2,
        }  # fmt: skip
    )
    rows, hidden_state = normal(50, 16), normal(51, 16)[50]
    logits, bound = rows @ hidden_state, np.linalg.norm(rows, axis=-1)
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
            small,
            3,
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
            small,
            3,
        ),
        Case(
            "model-config-algebra-v1",
            "total_parameters",
            good,
            {
                "tied == 0 or tied == 1": {"tied": 2},
                "Parameters of the model add up": {"tied": 0},
            },
            small,
            3,
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
            {
                "logits": grid(2, 9).prod(axis=-1),
                "output_norms": np.abs(grid(2, 9)).prod(axis=-1),
                "hidden_norm": 1.0,
            },
            9,
        ),
    ]


def _shape_cases() -> list[Case]:
    x, update = normal(6, 32), normal(7, 32)[1:]
    shapes: Fields = {
        "x": x, "query": normal(6, 64), "key": normal(6, 16), "value": normal(6, 16),
        "heads": 8, "kv_heads": 2, "head_dim": 8,
    }  # fmt: skip
    block: Fields = {"x": x, "gate": normal(6, 80), "up": normal(6, 80), "ret": update}
    small = grid(2, 7)
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
            {"x": small, "update": small[::-1], "ret": small + small[::-1]},
            7,
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
            {
                "x": grid(2, 3),
                "query": grid(2, 3),
                "key": grid(2, 3)[:, :1],
                "value": grid(2, 3)[:, 1:],
                "heads": 2,
                "kv_heads": 1,
                "head_dim": 1,
            },  # fmt: skip
            3,
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
            {name: grid(2, 3) for name in ("x", "gate", "up", "ret")},
            3,
        ),
        Case(
            "tensor-shape-flow-v1",
            "logits_shape",
            {"x": x, "logits": normal(1, 200), "vocab": 200},
            {
                "vocab >= 1": {"vocab": 0},
                "One logit a token of the vocabulary": {"logits": normal(1, 256)},
            },
            {"x": grid(2, 3), "logits": grid(2, 3), "vocab": 2},
            3,
        ),
    ]


def _sizing_cases() -> list[Case]:
    stem = "kv-cache-sizing-v1"
    a_token = _CONFIG | {"bytes_per_element": 2, "bytes_per_token": 23_040}
    cache = {
        "bytes_per_token": 23_040,
        "capacity": 8_192,
        "sequences": 1,
        "cache_bytes": 23_040 << 13,
    }
    layers, kv_heads, head_dim, groups = whole(4)
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
            {
                "layers": layers,
                "kv_heads": kv_heads,
                "head_dim": head_dim,
                "bytes_per_element": groups,
                "bytes_per_token": layers * (kv_heads + kv_heads) * head_dim * groups,
            },  # fmt: skip
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
            {
                "bytes_per_token": layers,
                "capacity": kv_heads,
                "sequences": head_dim,
                "cache_bytes": layers * kv_heads * head_dim,
            },  # fmt: skip
        ),
        Case(
            stem,
            "gqa_saving",
            {"gqa_bytes": 23_040, "mha_bytes": 69_120, "heads": 9, "kv_heads": 3},
            {
                "kv_heads <= heads": {"kv_heads": 18},
                "Grouped heads shrink the cache in proportion": {"gqa_bytes": 69_120},
            },
            {
                "gqa_bytes": layers * kv_heads,
                "mha_bytes": layers * kv_heads * groups,
                "heads": kv_heads * groups,
                "kv_heads": kv_heads,
            },  # fmt: skip
        ),
        Case(
            stem,
            "memory_fit",
            {"weights_bytes": 98e6, "cache_bytes": 188_743_680, "memory_bytes": 8e9},
            {
                "memory_bytes > 0": {"memory_bytes": 0},
                "Weights and cache fit into memory": {"cache_bytes": 8e9},
            },
            {"weights_bytes": layers, "cache_bytes": kv_heads, "memory_bytes": layers + kv_heads},
        ),
    ]


def _last_step(x: Array, keys: Array, values: Array) -> Fields:
    """The last query alone against the cache, and the last row of a pass over all queries."""
    everything = attention_output(softmax(attention_scores(x, keys, 0.5)), values)
    one = attention_output(softmax(attention_scores(x[-1:], keys, 0.5)), values)
    return {"ret": one[0], "reference": everything[-1]}


def _cache_cases() -> list[Case]:
    stem = "kv-cache-equivalence-v1"
    x = normal(4, 2, 16)
    prefix = normal(9, 2, 16)
    keys, values = normal(2, 9, 16), normal(3, 9, 16)[1:]
    queries = normal(9, 4, 16)
    step = _last_step(queries, keys, values)
    small = grid(3, 3)
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
            {"x": small, "ret": small},
            3,
        ),
        Case(
            stem,
            "prefix",
            {"prefix": prefix, "old(prefix)": prefix.copy()},
            {
                "all(isfinite(prefix))": {"prefix": planted(prefix, (0, 0, 0), np.nan)},
                "Old positions are left alone": {"prefix": planted(prefix, 8, x[0])},
            },
            {"prefix": small, "old(prefix)": small},
            3,
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
            _last_step(small[:, None], small[None], small[None]),
            3,
        ),
    ]


CASES = [*_config_cases(), *_shape_cases(), *_sizing_cases(), *_cache_cases()]
