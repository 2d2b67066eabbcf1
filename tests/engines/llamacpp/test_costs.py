"""Claims about what computing a node costs, counted from shapes and types."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tracepact as tp

pytest.importorskip("gguf", reason="needs tracepact[engine]")
sys.path.insert(0, str(Path(__file__).parent))

import contexts

from tracepact.engines.llamacpp.costs import node_cost
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.profiling import BrickProfiler, Phase

BYTES = {"f32": 4.0, "f16": 2.0, "q8_0": 34 / 32, "q4_K": 144 / 256}


def tensor(
    shape: tuple[int, ...],
    kind: str = "f32",
    operation: str = "NONE",
    *sources: Any,
    name: str = "blk.0.some.weight",
) -> Any:
    size = 1
    for length in shape:
        size *= length
    return SimpleNamespace(
        shape=shape,
        name=name,
        type_name=kind,
        operation=operation,
        nbytes=int(size * BYTES.get(kind, 0.5)),
        strides=(0, 0, 0, int(BYTES.get(kind, 32))),
        source=lambda index: sources[index] if index < len(sources) else None,
    )


def test_product_reads_its_weight_as_it_is_stored() -> None:
    weight, x = tensor((1, 1, 24, 64), "f16"), tensor((1, 1, 1, 64))
    cost = node_cost(tensor((1, 1, 1, 24), "f32", "MUL_MAT", weight, x))
    assert cost is not None
    assert cost.bytes_moved == 24 * 64 * 2 + 64 * 4 + 24 * 4
    assert cost.flops == 2 * 24 * 64


@pytest.mark.parametrize("kind", ["q8_0", "q4_K"])
def test_unpacking_a_weight_takes_as_much_as_multiplying_it(kind: str) -> None:
    weight, x = tensor((1, 1, 24, 256), kind), tensor((1, 1, 1, 256))
    cost = node_cost(tensor((1, 1, 1, 24), "f32", "MUL_MAT", weight, x))
    assert cost is not None
    assert cost.flops == 4 * 24 * 256


def test_only_the_experts_that_were_chosen_are_read() -> None:
    weight, x, chosen = tensor((1, 8, 24, 64)), tensor((1, 1, 2, 64)), tensor((1, 1, 1, 2))
    cost = node_cost(tensor((1, 1, 2, 24), "f32", "MUL_MAT_ID", weight, x, chosen))
    assert cost is not None
    assert cost.bytes_moved == 4 * (2 * 24 * 64 + 2 * 64 + 2 + 2 * 24)


def test_types_that_look_weights_up_in_tables_have_no_cost() -> None:
    weight, x = tensor((1, 1, 24, 256), "iq2_xxs"), tensor((1, 1, 1, 256))
    assert node_cost(tensor((1, 1, 1, 24), "f32", "MUL_MAT", weight, x)) is None


def test_products_with_the_cache_have_no_cost() -> None:
    keys, query = tensor((1, 3, 32, 64), "f16", name="cache_k_l0 (view)"), tensor((1, 9, 1, 64))
    assert node_cost(tensor((1, 9, 1, 32), "f32", "MUL_MAT", keys, query)) is None


def test_view_counts_what_it_shows() -> None:
    row = tensor((1, 1, 4, 8))
    row.nbytes = 10_000  # its rows lie far from each other
    cost = node_cost(tensor((1, 1, 4, 8), "f32", "ADD", row, row))
    assert cost is not None
    assert cost.bytes_moved == 3 * 4 * 8 * 4


@pytest.mark.parametrize("package", contexts.packages())
def test_costs_of_a_real_graph_are_those_of_its_weights(package: str) -> None:
    watched = contexts.Watched()
    profiler = BrickProfiler(watched.layer)
    with (
        contexts.engine(package, contexts.Q8) as seen,
        tp.trace(seen.context, layer=watched.layer, profiler=profiler),
    ):
        seen.write(6)
    samples, file = profiler.samples[Phase.DECODE], GgufFile(contexts.Q8)
    for name, brick in (("ffn_down", "DownProjection"), ("attn_output", "OutputProjection")):
        info, cost = file.tensors[f"blk.2.{name}.weight"], samples[2, brick].mean_cost()
        assert cost is not None
        rows, columns = info.shape
        assert cost.bytes_moved == info.size + 4 * (rows + columns)
        assert cost.flops == 4 * rows * columns
    assert samples[2, "AttentionScore"].mean_cost() is None
    softmax = samples[2, "AttentionSoftmax"].mean_cost()
    assert softmax is not None
    assert 0 < softmax.bytes_moved < 1e6
