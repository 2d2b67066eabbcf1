"""Claims about what a call of a kernel is said to cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.engines.probe import NullProbe
from tracepact.engines.reference.costs import brick_cost
from tracepact.engines.reference.model import ReferenceModel
from tracepact.profiling.budget import BrickCost
from tracepact.types import Array, BrickId

F = 4
"""Bytes of a float32."""


def zeros(*shape: int) -> Array:
    return np.zeros(shape, dtype=np.float32)


def test_a_product_reads_its_weight_once_and_multiplies_with_all_of_it() -> None:
    cost = brick_cost(
        BrickId.UpProjection, {"x": zeros(3, 5), "weight": zeros(7, 5), "bias": None}, zeros(3, 7)
    )
    assert cost == BrickCost(F * (7 * 5 + 3 * 5 + 3 * 7), 2 * 3 * 5 * 7, 2)


def test_a_bias_adds_its_bytes_an_addition_and_a_launch() -> None:
    inputs = {"x": zeros(3, 5), "weight": zeros(7, 5), "bias": None}
    without = brick_cost(BrickId.QkvProjection, inputs, zeros(3, 7))
    cost = brick_cost(BrickId.QkvProjection, inputs | {"bias": zeros(7)}, zeros(3, 7))
    assert cost == BrickCost(without.bytes_moved + F * 7, without.flops + 21, 3)


def test_an_embedding_reads_only_its_rows() -> None:
    cost = brick_cost(
        BrickId.Embedding,
        {"tokens": np.zeros(3, np.int64), "weight": zeros(1000, 5)},
        zeros(3, 5),
    )
    assert cost == BrickCost(3 * 8 + 2 * F * 15, 0, 1)


def test_scores_count_the_keys_in_use_and_every_pair() -> None:
    inputs = {"x": zeros(2, 4, 8), "keys": zeros(2, 10, 8)}
    cost = brick_cost(BrickId.AttentionScore, inputs, zeros(4, 2, 10))
    assert cost.bytes_moved == F * (2 * 4 * 8 + 2 * 10 * 8 + 4 * 2 * 10)
    assert cost.flops == 2 * (4 * 2 * 10) * 8 + 2 * 4 * 8


def test_attention_output_counts_weights_values_and_every_pair() -> None:
    inputs = {"weights": zeros(4, 2, 10), "values": zeros(2, 10, 8)}
    cost = brick_cost(BrickId.AttentionOutput, inputs, zeros(2, 32))
    assert cost.bytes_moved == F * (4 * 2 * 10 + 2 * 10 * 8 + 2 * 32)
    assert cost.flops == 2 * (4 * 2 * 10) * 8


def test_an_unknown_brick_moves_its_arrays_once() -> None:
    cost = brick_cost("Residual", {"x": zeros(2, 3), "update": zeros(2, 3)}, zeros(2, 3))
    assert cost == BrickCost(F * 18, 6, 1)
    assert brick_cost("Mine", {"alpha": 0.5}, zeros(4)) == BrickCost(F * 4, 4, 1)


class Costing(NullProbe):
    """Asks what every brick costs."""

    def __init__(self) -> None:
        self.costs: dict[str, BrickCost] = {}

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        ret = kernel(**inputs)
        self.costs[str(brick)] = brick_cost(brick, inputs, ret)
        return ret


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_every_brick_of_a_pass_has_a_positive_cost(
    architecture: str, write_gguf: Callable[..., Path]
) -> None:
    model, probe = ReferenceModel.load(write_gguf(architecture=architecture)), Costing()
    model.forward([1, 2, 3], model.new_cache(), probe)
    assert len(probe.costs) == 15 + (architecture == "qwen3")
    for cost in probe.costs.values():
        assert cost.bytes_moved > 0
        assert cost.flops >= 0
        assert cost.launches >= 1


def test_fields_that_only_checks_read_cost_nothing(tiny_model: ReferenceModel) -> None:
    linear = tiny_model.weight_of(BrickId.LmHead, None)
    x, ret = zeros(1, 32), zeros(1, 264)
    plain = brick_cost(BrickId.LmHead, {"x": x, **linear.inputs}, ret)
    assert brick_cost(BrickId.LmHead, {"x": x, **linear.checked_inputs}, ret) == plain


def test_decoding_moves_at_least_the_weights_of_the_layers_and_the_head(
    tiny_model: ReferenceModel,
) -> None:
    class Sum(NullProbe):
        moved = 0.0

        def run(
            self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
        ) -> Array:
            ret = kernel(**inputs)
            self.moved += brick_cost(brick, inputs, ret).bytes_moved
            return ret

    probe = Sum()
    tiny_model.forward([1], tiny_model.new_cache(), probe)
    assert tiny_model.weights.nbytes <= probe.moved < 1.5 * tiny_model.weights.nbytes
