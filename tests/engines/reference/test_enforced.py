"""The reference engine uses tier 1: every kernel is bound, decorated and checked."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.bindings import bindings_of
from tracepact.enforce import enforced, unchecked
from tracepact.enforce.shared import shared_layer
from tracepact.engines.probe import NullProbe
from tracepact.engines.reference import kernels
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.sampling import Sampler
from tracepact.types import Array

PROMPT = [1, 2, 3]
LAYER = shared_layer()
"""Of the kernels; tests of the decorators make others."""

METHODS = (KvCache.write_keys, KvCache.write_values, Sampler.sample)
FUNCTIONS = [*(getattr(kernels, name) for name in kernels.__all__), *METHODS]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__qualname__)
def test_kernel_is_decorated_as_its_binding_says(function: Callable[..., Any]) -> None:
    (one,) = enforced(function)
    place = (function.__module__, function.__qualname__)
    entries = bindings_of("tracepact").entries
    (entry,) = [e for e in entries if (e.module_path, e.function) == place]
    assert entry.status == "implemented"
    assert (entry.contract, entry.equation) == (one.contract, one.equation)


def test_every_public_function_of_the_kernels_is_listed() -> None:
    public = {
        name
        for name, value in vars(kernels).items()
        if getattr(value, "__module__", "") == kernels.__name__ and not name.startswith("_")
    }
    assert public == set(kernels.__all__)


def test_untraced_model_is_checked_by_its_kernels(
    tiny_model: ReferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    monkeypatch.setattr(LAYER, "report", lambda each: found.extend(v.contract for v in each))
    before = LAYER.checks
    tiny_model.forward(PROMPT, tiny_model.new_cache())
    assert LAYER.checks > before
    assert found == []
    tiny_model.weights.blocks[1].gate.weight[3, 2] += 100.0
    tiny_model.forward(PROMPT, tiny_model.new_cache())
    assert found[0] == "linear-projection-v1"


def test_probe_gets_what_is_below_the_contracts(tiny_model: ReferenceModel) -> None:
    seen = []

    class Watching(NullProbe):
        def run(
            self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
        ) -> Array:
            seen.append(kernel)
            return kernel(**inputs)

    list(generate(tiny_model, PROMPT, max_tokens=2, probe=Watching(enforced=False)))
    assert [kernel for kernel in seen if enforced(kernel)] == []


def test_checks_change_no_number(tiny_model: ReferenceModel) -> None:
    with_checks = tiny_model.forward(PROMPT, tiny_model.new_cache())
    without = tiny_model.forward(PROMPT, tiny_model.new_cache(), NullProbe(enforced=False))
    assert np.array_equal(with_checks, without)


def test_kernel_without_evidence_is_not_checked_on_it() -> None:
    before = LAYER.violations
    x = np.ones((1, 2), np.float32)
    assert kernels.linear(x=x, weight=x).tolist() == [[2.0]]
    assert LAYER.violations == before


def test_decorated_kernel_looks_like_itself() -> None:
    bare = unchecked(kernels.softmax)
    assert inspect.signature(kernels.softmax) == inspect.signature(bare)
    assert bare.__code__.co_filename == str(Path(kernels.__file__))


def test_contracts_of_the_same_name_do_not_keep_the_engine_from_loading(tmp_path: Path) -> None:
    other = tmp_path / "softmax-kernel-v1.yaml"
    other.write_text(
        "metadata: {version: 1.0.0, references: [none]}\n"
        "equations:\n  softmax: {formula: f, postconditions: ['elsewhere > 0']}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import tracepact.engines.reference.kernels"],
        env=os.environ | {"TRACEPACT_CONTRACTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
