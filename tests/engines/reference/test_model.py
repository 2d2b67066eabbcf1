"""Claims about loading a model and running it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.engines.reference.model import PREFILL_TOKENS, ReferenceModel
from tracepact.errors import ConfigError
from tracepact.types import Array, BrickId

WriteGguf = Callable[..., Path]

PROMPT = [3, 141, 59, 26, 5, 35, 8, 97, 93, 238]


def assert_close(got: Array, expected: Array) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_last_only_gives_the_last_row(tiny_model: ReferenceModel) -> None:
    whole = tiny_model.forward(PROMPT, tiny_model.new_cache(), last_only=False)
    last = tiny_model.forward(PROMPT, tiny_model.new_cache())
    assert whole.shape == (len(PROMPT), 264)
    assert_close(last, whole[-1:])


def test_prefill_in_pieces_equals_one_pass(
    tiny_model: ReferenceModel, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    assert PREFILL_TOKENS >= 256
    whole = tiny_model.forward(PROMPT, tiny_model.new_cache())
    monkeypatch.setattr("tracepact.engines.reference.model.PREFILL_TOKENS", 3)
    cache = tiny_model.new_cache()
    assert_close(tiny_model.prefill(PROMPT, cache, recorder), whole)
    assert [call for call in recorder.calls if call[0] == "begin"] == [
        ("begin", 0, 3),
        ("begin", 3, 3),
        ("begin", 6, 3),
        ("begin", 9, 1),
    ]
    assert sum(call[:2] == ("run", BrickId.LmHead) for call in recorder.calls) == 1


def test_checksums_can_be_taken_while_loading(write_gguf: WriteGguf) -> None:
    model = ReferenceModel.load(write_gguf(), checksums=True)
    linear = model.weight_of(BrickId.DownProjection, 1)
    before = linear.weight.astype(np.float64).sum(axis=0)
    linear.weight[0, 0] = 1e6
    np.testing.assert_allclose(linear.column_sums, before)


def test_passes_without_a_probe_use_the_models_own(
    tiny_model: ReferenceModel, recorder: Any
) -> None:
    tiny_model.probe = recorder
    tiny_model.forward(PROMPT, tiny_model.new_cache())
    assert recorder.calls[-1] == ("end",)


def test_nan_in_a_weight_reaches_the_logits_without_a_warning(tiny_model: ReferenceModel) -> None:
    tiny_model.weight_of(BrickId.UpProjection, 0).weight[3, 3] = np.nan
    assert np.isnan(tiny_model.forward(PROMPT, tiny_model.new_cache())).all()


@pytest.mark.parametrize(
    ("brick", "layer", "shape"),
    [
        (BrickId.Embedding, None, (264, 32)),
        (BrickId.LmHead, None, (264, 32)),
        (BrickId.QkvProjection, 0, (64, 32)),
        (BrickId.OutputProjection, 1, (32, 32)),
        (BrickId.GateProjection, 1, (64, 32)),
        (BrickId.UpProjection, 0, (64, 32)),
        ("DownProjection", 1, (32, 64)),
    ],
)
def test_weight_of_gives_the_matrix_that_the_brick_uses(
    brick: str, layer: int | None, shape: tuple[int, int], tiny_model: ReferenceModel
) -> None:
    linear = tiny_model.weight_of(brick, layer)
    assert linear.weight.shape == shape
    healthy = tiny_model.forward(PROMPT, tiny_model.new_cache())
    linear.weight[:] *= 1.5
    assert not np.allclose(tiny_model.forward(PROMPT, tiny_model.new_cache()), healthy)


@pytest.mark.parametrize(
    ("brick", "layer"),
    [(BrickId.RmsNorm, 0), (BrickId.UpProjection, None), (BrickId.UpProjection, 2), ("LmHead", 0)],
)
def test_weight_of_anything_else_says_what_there_is(
    brick: str, layer: int | None, tiny_model: ReferenceModel
) -> None:
    with pytest.raises(ConfigError, match="known: Embedding and LmHead without a layer, Qkv"):
        tiny_model.weight_of(brick, layer)


@pytest.mark.parametrize("tokens", [[], [-1], [264], [0, 1000]])
def test_ids_outside_the_vocabulary_are_refused(
    tokens: list[int], tiny_model: ReferenceModel
) -> None:
    cache = tiny_model.new_cache()
    with pytest.raises(ConfigError, match=r"token ids must be in \[0, 264\), and at least one"):
        tiny_model.forward(tokens, cache)
    assert cache.used == 0


def test_a_pass_that_does_not_fit_changes_nothing(tiny_model: ReferenceModel) -> None:
    cache = tiny_model.new_cache()
    tiny_model.forward(PROMPT * 4, cache)
    keys = cache.keys.copy()
    for run in (tiny_model.forward, tiny_model.prefill):
        with pytest.raises(ConfigError, match="do not fit into a KV cache of 48"):
            run(PROMPT, cache)
    assert cache.used == 40
    assert np.array_equal(cache.keys, keys)


def test_the_context_is_that_of_the_file_within_reason(write_gguf: WriteGguf) -> None:
    large = write_gguf(metadata={"llama.context_length": 2**31})
    assert ReferenceModel.load(write_gguf()).context_length == 48
    assert ReferenceModel.load(large).context_length == 4096
    assert ReferenceModel.load(large, context_length=5000).new_cache().capacity == 5000


@pytest.mark.parametrize("context_length", [0, 49])
def test_a_context_that_the_model_lacks_is_refused(
    context_length: int, write_gguf: WriteGguf
) -> None:
    with pytest.raises(ConfigError, match="was made for 1 to 48 positions"):
        ReferenceModel.load(write_gguf(), context_length=context_length)
