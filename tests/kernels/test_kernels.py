"""Reference kernels: named by the bindings, in the type of their inputs, right by other means."""

from __future__ import annotations

import importlib
import inspect
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tracepact
from tracepact.bindings import load_bindings
from tracepact.contracts import ContractRegistry
from tracepact.engines.reference import kernels as engine
from tracepact.kernels import reference
from tracepact.kernels.activations import gelu, gelu_tanh, silu, swiglu
from tracepact.kernels.attention import attention, attention_output, attention_scores
from tracepact.kernels.fused_attention import tiled_attention, window_attention
from tracepact.kernels.kv_cache import append, decode
from tracepact.kernels.losses import cross_entropy
from tracepact.kernels.norms import layer_norm, rms_norm
from tracepact.kernels.projections import linear, matmul
from tracepact.kernels.quantisation import dequantise, quantise
from tracepact.kernels.rope import rope_half, rope_interleaved, rotation_table
from tracepact.kernels.sampling import greedy, sample, top_k, top_p
from tracepact.kernels.softmaxes import log_softmax, log_sum_exp, softmax
from tracepact.types import Array

REGISTRY = ContractRegistry.builtin()
BINDINGS = load_bindings(Path(tracepact.__file__).parent / "binding.yaml")
OWN = [entry for entry in BINDINGS.entries if entry.module_path.startswith("tracepact.kernels.")]

WITHOUT_A_KERNEL = {
    # Several figures of one measurement, or three results of one pass.
    ("quantization-ordering-v1", "quantization_error"),
    ("quantization-ordering-v1", "bit_ordering"),
    ("tensor-shape-flow-v1", "projection_shapes"),
    ("kernel-launch-budget-v1", "fusion"),
    ("kernel-launch-budget-v1", "launch_overhead"),
}


def normal(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# -- the table --------------------------------------------------------------------------------


def test_every_equation_of_a_kernel_has_a_reference() -> None:
    missing = {
        (contract.stem, equation)
        for contract in REGISTRY.contracts.values()
        if contract.metadata.kind == "kernel"
        for equation in contract.equations
        if reference(contract.stem, equation) is None
    }
    assert missing == WITHOUT_A_KERNEL


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: f"{entry.function}-{entry.equation}")
def test_reference_is_first_function_bound_to_the_equation(entry: Any) -> None:
    first = next(e for e in OWN if (e.contract, e.equation) == (entry.contract, entry.equation))
    found = getattr(importlib.import_module(first.module_path), first.function)
    assert reference(entry.contract, entry.equation) is found


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: f"{entry.function}-{entry.equation}")
def test_kernel_says_what_it_takes(entry: Any) -> None:
    """Documented, annotated, and able to be called by the names of the contract's fields."""
    function = getattr(importlib.import_module(entry.module_path), entry.function)
    assert inspect.getdoc(function)
    parameters = inspect.signature(function).parameters.values()
    assert all(each.annotation is not each.empty for each in parameters)
    assert all(each.kind is each.POSITIONAL_OR_KEYWORD for each in parameters)


@pytest.mark.parametrize("stem", ["softmax-kernel-v1", "no-such-contract-v1"])
def test_unknown_equation_has_no_reference(stem: str) -> None:
    assert reference(stem, "no_such_equation") is None


def test_kernels_are_imported_when_they_are_asked_for() -> None:
    code = (
        "import sys, tracepact, tracepact.kernels as k\n"
        "def loaded():\n"
        "    return sorted(n for n in sys.modules if n.startswith('tracepact.kernels.'))\n"
        "before = loaded(); k.reference('bias-add-v1', 'bias_add'); print(before, loaded())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    names = "['tracepact.kernels.precision', 'tracepact.kernels.projections']"
    assert done.stdout.strip() == f"[] {names}"


# -- dtypes -----------------------------------------------------------------------------------


def _calls(stored: Any, computed: Any) -> dict[str, Callable[[], Array]]:
    """Calls on numbers that `stored` holds, handed in as `computed`."""

    def given(x: Array) -> Array:
        return x.astype(stored).astype(computed)

    x, y, weight = (given(normal(4, 8, seed=seed)) for seed in (1, 2, 3))
    heads = x.reshape(4, 2, 4)
    keys, values = heads.transpose(1, 0, 2), heads[:, :, ::-1].transpose(1, 0, 2)
    cos, sin = (given(table) for table in rotation_table(np.arange(4), 2))
    return {
        "softmax": lambda: softmax(x),
        "log_softmax": lambda: log_softmax(x),
        "rms_norm": lambda: rms_norm(x, weight[0], 1e-5),
        "layer_norm": lambda: layer_norm(x, weight[0], y[0], 1e-5),
        "silu": lambda: silu(x),
        "gelu": lambda: gelu(x),
        "swiglu": lambda: swiglu(x, y),
        "matmul": lambda: matmul(x, y.T),
        "linear": lambda: linear(x, weight, y[0, :4]),
        "rope_half": lambda: rope_half(heads, cos, sin),
        "attention": lambda: attention(heads, keys, values, 0.5),
        "cross_entropy": lambda: cross_entropy(x, np.array([0, 7, 3, 1])),
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", _calls(np.float32, np.float32))
def test_result_has_the_type_of_the_inputs_and_is_rounded_once(name: str, dtype: Any) -> None:
    ret = _calls(dtype, dtype)[name]()
    assert ret.dtype == dtype
    assert (ret == _calls(dtype, np.float64)[name]().astype(dtype)).all()


# -- right by other means ---------------------------------------------------------------------


def test_agrees_with_the_kernels_of_the_reference_engine() -> None:
    """Two implementations of the same equations, one plain and one fast."""
    x, weight = normal(5, 16), 1 + np.abs(normal(16, seed=2))
    q, k, v = normal(3, 4, 8), normal(2, 7, 8, seed=3), normal(2, 7, 8, seed=4)
    cos, sin = rotation_table(np.arange(3), 4)
    scores = attention_scores(q, k, 0.35)
    pairs = [
        (softmax(x), engine.softmax(x=x)),
        (rms_norm(x, weight, 1e-5), engine.rms_norm(x=x, weight=weight, eps=1e-5)),
        (swiglu(x, x[::-1]), engine.swiglu(gate=x, up=x[::-1])),
        (rope_half(q, cos, sin), engine.rope_half(x=q, cos=cos, sin=sin)),
        (rope_interleaved(q, cos, sin), engine.rope_interleaved(x=q, cos=cos, sin=sin)),
        (scores, engine.attention_scores(x=q, keys=k, scale=0.35)),
        (
            attention_output(softmax(scores), v),
            engine.attention_output(weights=softmax(scores), values=v),
        ),
    ]
    for plain, fast in pairs:
        np.testing.assert_allclose(plain, fast, rtol=2e-5, atol=2e-6)


def test_both_layouts_of_pairs_are_one_rotation_of_permuted_channels() -> None:
    x = normal(3, 2, 8)
    cos, sin = rotation_table(np.arange(3), 4)
    order = np.arange(8).reshape(4, 2).T.ravel()
    assert (rope_half(x[..., order], cos, sin) == rope_interleaved(x, cos, sin)[..., order]).all()


def test_tiles_windows_and_the_last_step_are_attention() -> None:
    q, k, v = normal(4, 4, 8), normal(2, 9, 8, seed=2), normal(2, 9, 8, seed=3)
    whole = attention(q, k, v, 0.35)
    for tile in (1, 2, 4, 9, 20):
        np.testing.assert_allclose(tiled_attention(q, k, v, 0.35, tile), whole, atol=1e-6)
    np.testing.assert_allclose(window_attention(q, k, v, 0.35, 9), whole, atol=1e-6)
    np.testing.assert_allclose(decode(q[-1:], k, v, 0.35), whole[-1], atol=1e-6)


def test_gelu_is_the_normal_distribution_function() -> None:
    x = np.linspace(-6, 6, 49)
    exact = [v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x]
    np.testing.assert_allclose(gelu(x), exact, atol=1e-15)
    assert np.abs(gelu_tanh(x) - gelu(x)).max() < 5e-4


def test_large_scores_neither_overflow_nor_lose_a_mask() -> None:
    x = np.array([[1e30, 1e30, -np.inf], [-1e30, -np.inf, -np.inf]], np.float32)
    assert softmax(x).tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    assert log_sum_exp(x).tolist() == [np.float32(1e30), np.float32(-1e30)]
    assert silu(np.array([-1e4, 1e4], np.float32)).tolist() == [0.0, 1e4]


def test_loss_of_even_logits_is_the_logarithm_of_their_number() -> None:
    np.testing.assert_allclose(cross_entropy(np.zeros((2, 7)), np.array([0, 6])), math.log(7))


def test_append_writes_there_and_nowhere_else() -> None:
    cache, x = np.zeros((6, 1, 2), np.float32), 1 + normal(2, 1, 2) ** 2
    held = append(x, cache, 3)
    assert (held == x).all()
    assert np.shares_memory(held, cache)
    assert not cache[:3].any()
    assert not cache[5:].any()


def test_equal_tokens_are_kept_from_the_lowest_index() -> None:
    even = np.full(4, 0.25)
    assert top_k(even, 2).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert top_p(even, 0.5).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert greedy(even) == 0


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.array([0.5, 0.0, 0.25, 0.25]), where=[True, False, True, True],
                    out=np.full(4, -np.inf))  # fmt: skip
    drawn = [sample(logits, (index + 0.5) / 400) for index in range(400)]
    assert [drawn.count(token) for token in range(4)] == [200, 0, 100, 100]


def test_quantised_codes_fit_and_come_back_within_half_a_step() -> None:
    w = normal(6, 32)
    codes, scale, minimum = quantise(w, 4)
    assert codes.min() >= 0
    assert codes.max() <= 14
    assert (np.abs(dequantise(codes, scale, minimum, 4) - w) <= scale / 2 * (1 + 1e-9)).all()
