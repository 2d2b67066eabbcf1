"""`tracepact.trace` watches a model and leaves it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracepact as tp
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.profiling import profile_report

MODEL = Path(__file__).parents[2] / "models" / "tracepact-tales-q8_0.gguf"
pytestmark = pytest.mark.model


def test_passes_are_traced_inside_the_block_only() -> None:
    model = ReferenceModel.load(MODEL)
    before = model.probe
    with tp.trace(model) as tracer:
        list(generate(model, [5, 6, 7], max_tokens=3))
    assert tracer.summary.forwards == 3
    list(generate(model, [5, 6, 7], max_tokens=3))
    assert tracer.summary.forwards == 3
    assert model.probe is before


def test_model_is_left_as_it_was_after_an_error() -> None:
    model = ReferenceModel.load(MODEL)
    before = model.probe
    with pytest.raises(KeyboardInterrupt), tp.trace(model):
        raise KeyboardInterrupt
    assert model.probe is before


def test_profiler_takes_the_times_of_the_block() -> None:
    model = ReferenceModel.load(MODEL)
    profiler = tp.BrickProfiler()
    with tp.trace(model, profiler=profiler, config=tp.TraceConfig.off()):
        list(generate(model, [5, 6, 7], max_tokens=3))
    names = {brick.brick for brick in profile_report(profiler).decode.bricks}
    assert names >= {"RmsNorm", "LmHead", "Sampling"}


def test_unknown_kind_of_model_is_named() -> None:
    with pytest.raises(tp.ConfigError, match="cannot trace a builtins.dict"), tp.trace({}):
        pass


def test_violations_go_to_the_log_by_default(caplog: pytest.LogCaptureFixture) -> None:
    model = ReferenceModel.load(MODEL)
    model.weights.blocks[1].ffn_norm[3] = float("nan")
    with tp.trace(model):
        list(generate(model, [5, 6, 7], max_tokens=1))
    assert "layer 1, RmsNorm" in caplog.text


def test_model_is_traced_once_at_a_time() -> None:
    model = ReferenceModel.load(MODEL)
    with tp.trace(model), pytest.raises(tp.ConfigError, match="traced already"), tp.trace(model):
        pass


def test_subclass_of_a_model_is_traced_and_other_parts_of_the_engine_are_not() -> None:
    class Mine(ReferenceModel):
        pass

    model = Mine.load(MODEL)
    with tp.trace(model) as tracer:
        list(generate(model, [5], max_tokens=1))
    assert tracer.summary.forwards == 1
    with pytest.raises(tp.ConfigError, match="KvCache"), tp.trace(model.new_cache()):
        pass
