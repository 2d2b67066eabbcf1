"""Kernels that are wrong in ways that happen: generated tests of shipped contracts catch them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

Project = Callable[..., None]
Run = Callable[..., pytest.RunResult]

SOFTMAX = """
def kernel(x: Array):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
RMSNORM = """
def kernel(x: Array, weight: Array, eps: float):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight
"""
SILU = """
def kernel(x: Array):
    return x / (1 + np.exp(-x))
"""
MATMUL = """
def kernel(a: Array, b: Array):
    return a @ b
"""
HEADS = """
def kernel(query_head: Array, heads: int, kv_heads: int, kv_head=None):
    return query_head // (heads // kv_heads)
"""
APPEND = """
def kernel(x: Array, cache: Array, position: int):
    cache[position : position + len(x)] = x
    return cache[position : position + len(x)]
"""
ATTENTION = """
def reference(x: Array, keys: Array, values: Array, scale: float):
    group = x.shape[1] // len(keys)
    keys, values = np.repeat(keys, group, axis=0), np.repeat(values, group, axis=0)
    scores = np.einsum("thd,hsd->hts", x, keys) * scale
    after = np.arange(keys.shape[1]) > np.arange(keys.shape[1])[-len(x):, None]
    scores[:, after] = -np.inf
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("hts,hsd->thd", weights, values).reshape(len(x), -1)

"""
KERNEL = ATTENTION[ATTENTION.index("def ") :].replace("reference", "kernel")

MUTANTS = {
    # name: contract, equation, right, what to replace, by what
    "softmax without maximum": (
        "softmax-kernel-v1", "softmax", SOFTMAX, "x - x.max(axis=-1, keepdims=True)", "x"),
    "rmsnorm without epsilon": ("rmsnorm-kernel-v1", "rmsnorm", RMSNORM, " + eps", ""),
    "gelu in place of silu": (
        "activation-kernel-v1", "silu", SILU, "np.exp(-x)", "np.exp(-1.702 * x)"),
    "transposed operand": ("matmul-kernel-v1", "checksum", MATMUL, "a @ b",
                           "a @ (b.T if b.shape[0] == b.shape[1] else b)"),
    "write at a wrong position": (
        "kv-cache-equivalence-v1", "append", APPEND, "cache[position : position + len(x)] = x",
        "cache[max(position - 1, 0) :][: len(x)] = x"),
    "head mapping": ("gqa-kernel-v1", "equivalence", ATTENTION + KERNEL,
                     "np.repeat(keys, group, axis=0)", "np.tile(keys, (group, 1, 1))"),
    "causal mask off by one": ("gqa-kernel-v1", "equivalence", ATTENTION + KERNEL,
                               "> np.arange", "> 1 + np.arange"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kernel_passes_and_its_mutant_does_not(
    project: Project, run: Run, pytester: pytest.Pytester, name: str
) -> None:
    contract, equation, right, old, new = MUTANTS[name]
    at = right.rindex("def kernel")
    assert old in right[at:]
    mutant = right[at:].replace("kernel", "mutant", 1).replace(old, new)
    project(right + mutant, contract=contract, equation=equation, function="kernel")
    binding = pytester.path / "binding.yaml"
    entry = binding.read_text().partition("\n")[2]
    others = "reference", "kernel", "mutant"
    bound = [other for other in others if f"def {other}" in right + mutant]
    binding.write_text(
        "bindings:\n" + "".join(entry.replace("function: kernel", f"function: {b}") for b in bound)
    )
    result = run("-v", "-k", "not interface and not FALSIFY")
    lines = [line for line in result.outlines if line.startswith("binding.yaml::")]
    mine = [line for line in lines if "[kernels:kernel]" in line]
    assert mine
    assert all("PASSED" in line for line in mine), result.stdout.str()
    assert any("[kernels:mutant] FAILED" in line for line in lines), result.stdout.str()
