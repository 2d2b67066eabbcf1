"""Harnesses: what is true is proved, what is false is refuted by a call that shows it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.contracts import ContractRegistry
from tracepact.enforce.enforced import ATTRIBUTE, Enforced
from tracepact.prove import Proof, run_harness

needs_z3 = pytest.mark.usefixtures("_z3")


@pytest.fixture
def _z3() -> None:
    pytest.importorskip("z3", reason="needs tracepact[prove]")


@pytest.fixture
def prove(tmp_path: Path) -> Callable[..., Proof]:
    """Run the only harness of a contract with one equation."""

    def run(
        formula: str,
        formal: str,
        *,
        strategy: str = "bounded_int",
        bound: int | str = 3,
        domain: str = "x [..., n], n >= 1",
        pre: str = "all(isfinite(x))",
        tolerance: float = 1e-6,
        function: Any = None,
        limit_s: float = 10.0,
    ) -> Proof:
        path = tmp_path / "example-v1.yaml"
        path.write_text(
            f"""
metadata: {{version: 1.0.0, description: Example, references: [none]}}
equations:
  example:
    formula: {formula!r}
    domain: {domain!r}
    tolerance: {tolerance}
    preconditions: [{pre!r}]
proof_obligations:
  - {{type: invariant, property: Claim, formal: {formal!r}, applies_to: [example]}}
kani_harnesses:
  - {{id: K-1, obligation: Claim, bound: {bound}, strategy: {strategy}}}
"""
        )
        registry = ContractRegistry.load(path)
        (contract,) = registry.contracts.values()
        return run_harness(
            registry, contract, contract.harnesses[0], function=function, limit_s=limit_s
        )

    return run


def replay(code: str) -> str:
    """What a counterexample prints when it is pasted."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(code, "<pasted>", "exec"), {})
    return shown.getvalue()


SOFTMAX = "softmax(x)_i = exp(x_i - max_j x_j) / sum_k exp(x_k - max_j x_j)"
MASKED = {"domain": "x [..., n] with -inf where masked", "pre": "x < inf and row_max(x) > -inf"}


@needs_z3
def test_bounded_int_proves_softmax_with_masked_entries(prove: Callable[..., Proof]) -> None:
    proof = prove(SOFTMAX, "abs(row_sums(ret) - 1) <= tol and 0 <= ret <= 1", **MASKED)
    assert proof.outcome == "proved", proof
    assert proof.method == "z3 over reals"
    assert "patterns of -inf" in proof.detail


@needs_z3
def test_bounded_int_refutes_with_a_call_that_replays(prove: Callable[..., Proof]) -> None:
    proof = prove(SOFTMAX, "ret <= 0.9", **MASKED)
    assert proof.outcome == "refuted", proof
    assert "ret <= 0.9 is false" in replay(proof.counterexample)
    assert "obligation 'Claim' violated" in proof.counterexample


@needs_z3
def test_division_by_zero_is_no_proof(prove: Callable[..., Proof]) -> None:
    """z3 lets x / 0 be anything, so ret == ret / x * x would hold for all x."""
    formula = "ret = x / sum(x) * sum(x)"
    assert prove(formula, "ret == x", pre="row_sums(x) > 0").outcome == "proved"
    assert prove(formula, "ret == x").outcome == "refuted"


@needs_z3
def test_root_of_a_negative_number_is_no_proof(prove: Callable[..., Proof]) -> None:
    assert prove("ret = sqrt(x)", "ret >= 0", pre="x >= 0").outcome == "proved"
    assert prove("ret = sqrt(x)", "ret >= 0").outcome == "refuted"


@needs_z3
def test_whole_numbers_are_divided_as_python_does(prove: Callable[..., Proof]) -> None:
    numbers = {"domain": "heads, kv_heads", "pre": "kv_heads != 0"}
    formula = "ret = heads // kv_heads * kv_heads + heads % kv_heads"
    assert prove(formula, "ret == heads", **numbers).outcome == "proved"
    assert prove("ret = heads // kv_heads", "ret * kv_heads == heads", **numbers).outcome == (
        "refuted"
    )


@needs_z3
def test_uninterpreted_functions_refute_only_what_replays(prove: Callable[..., Proof]) -> None:
    """z3 knows little of exp, so it finds e² ≠ e·e; numbers know better."""
    proof = prove("ret = exp(2 * x)", "abs(ret - exp(x) * exp(x)) <= tol * ret")
    assert proof.outcome == "proved"
    assert proof.method == "enumeration of the formula"


def test_without_z3_it_says_what_to_install(
    prove: Callable[..., Proof], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    proof = prove("ret = x + 1", "ret > x")
    assert proof.outcome == "undecided"
    assert "pip install 'tracepact[prove]'" in proof.detail


def test_exhaustive_proves_by_enumeration(prove: Callable[..., Proof]) -> None:
    proof = prove("relu(x) = max(x, 0)", "ret >= 0 and ret >= x", strategy="exhaustive")
    assert proof.outcome == "proved", proof
    assert "cases, arrays of up to 3 elements" in proof.detail


def test_exhaustive_finds_the_corner_case(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = 1 / x", "all(isfinite(ret))", strategy="exhaustive")
    assert proof.outcome == "refuted"
    assert "ret = [[inf]]" in proof.counterexample
    assert replay(proof.counterexample).strip()


def test_exhaustive_covers_every_float16(prove: Callable[..., Proof]) -> None:
    float16 = {"domain": "x in float16", "strategy": "exhaustive", "bound": 65536}
    proof = prove("ret = float32(x)", "ret == x", **float16)
    assert proof.outcome == "proved"
    assert "63488 of 65536 values of float16" in proof.detail
    wrong = prove("ret = float16(x * 1.001)", "ret == x", **float16)
    assert wrong.outcome == "refuted"


@needs_z3
def test_stub_float_knows_that_floats_overflow(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = x * x", "all(isfinite(ret))", strategy="stub_float")
    assert proof.outcome == "refuted"
    assert "e+308" in proof.counterexample


@needs_z3
def test_stub_float_needs_reals_and_corner_cases(prove: Callable[..., Proof]) -> None:
    stub = {"strategy": "stub_float"}
    proof = prove("ret = min(x, 1)", "ret <= 1", **stub)
    assert proof.outcome == "proved"
    assert proof.method == "z3 over reals and enumeration of the formula"
    # True of real numbers; of floats, 1 + 5e-324 is 1.
    assert prove("ret = (1 + x) - 1", "ret == x", **stub).outcome == "refuted"
    assert prove("ret = (1 + x) - 1", "ret == x", strategy="bounded_int").outcome == "proved"


# -- functions ---------------------------------------------------------------------------------


def softmax(x: Any) -> Any:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def without_shift(x: Any) -> Any:
    raised = np.exp(x)
    return raised / raised.sum(axis=-1, keepdims=True)


def test_function_is_enumerated(prove: Callable[..., Proof]) -> None:
    claim = "abs(row_sums(ret) - 1) <= tol"
    floats = {"strategy": "stub_float", **MASKED}
    right = prove(SOFTMAX, claim, function=softmax, **floats)
    assert right.outcome == "proved", right
    assert right.method.endswith("test_harness.softmax")
    wrong = prove(SOFTMAX, claim, function=without_shift, **floats)
    assert wrong.outcome == "refuted"
    assert "import without_shift; without_shift(x=np.array(" in wrong.counterexample


def test_function_that_takes_something_else_is_undecided(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = x", "ret == x", function=lambda data: data)
    assert proof.outcome == "undecided"
    assert "the field 'x' is no parameter" in proof.detail


def test_function_with_more_parameters_than_the_equation_has_is_undecided(
    prove: Callable[..., Proof],
) -> None:
    proof = prove("ret = x", "ret == x", function=lambda x, factor: x * factor)
    assert proof.outcome == "undecided"
    assert "the parameter 'factor' of" in proof.detail
    checked = prove("ret = x", "ret == y", pre="y > 0", function=lambda x, y=None: x)
    assert checked.outcome == "undecided"
    assert "may be left out" in checked.detail


def test_function_is_read_as_it_is_bound(prove: Callable[..., Proof]) -> None:
    """A field may be the result under another name, and `int` means whole numbers."""

    def bound(heads: int, kv_heads: int) -> int:
        raise NotImplementedError  # what is below it is called

    numbers = {"domain": "heads, kv_heads", "pre": "kv_heads >= 1", "formula": "-"}
    setattr(bound, ATTRIBUTE, (Enforced("example-v1", "example", {"group": "ret"}),))
    bound.__wrapped__ = quotient  # type: ignore[attr-defined]
    proof = prove(formal="group * kv_heads <= heads", function=bound, **numbers)
    assert proof.outcome == "proved", proof
    assert "heads of {-3, -2, -1, 0, 1, 2, 3}" in proof.detail


def quotient(heads: int, kv_heads: int) -> int:
    return heads // kv_heads


def test_function_that_raises_is_undecided(prove: Callable[..., Proof]) -> None:
    def broken(x: Any) -> Any:
        raise KeyError("nothing")

    proof = prove("ret = x", "ret == x", function=broken)
    assert proof.outcome == "undecided"
    assert "raised KeyError" in proof.detail


# -- nothing is proved by what is only written --------------------------------------------------


@pytest.mark.parametrize("strategy", ["exhaustive", "bounded_int", "stub_float"])
@pytest.mark.parametrize(
    ("formal", "why"),
    [
        ("True", "says nothing about what is computed"),
        ("len(x) > 0", "says nothing about what is computed"),
        ("ret == ret", "holds whatever the result is"),
        ("abs(ret) >= 0", "holds whatever the result is"),
        ("len(ret) >= 0", "holds whatever the result is"),
    ],
)
@needs_z3
def test_claim_that_cannot_fail_is_undecided(
    prove: Callable[..., Proof], strategy: str, formal: str, why: str
) -> None:
    proof = prove("ret = x + 1", formal, strategy=strategy)
    assert proof.outcome == "undecided"
    assert why in proof.detail


@pytest.mark.parametrize("strategy", ["exhaustive", "bounded_int", "stub_float"])
@needs_z3
def test_claim_about_no_input_is_undecided(prove: Callable[..., Proof], strategy: str) -> None:
    proof = prove("ret = x + 1", "ret == 7", pre="all(x > 1) and all(x < 0)", strategy=strategy)
    assert proof.outcome == "undecided"
    assert "no input satisfies the preconditions" in proof.detail


@pytest.mark.parametrize(
    ("bound", "why"),
    [
        (0, "leaves no input"),
        (-3, "leaves no input"),
        (10**9, "too large"),
        ("null", "leaves no input"),
    ],
)
def test_bound_is_bounded(prove: Callable[..., Proof], bound: int | str, why: str) -> None:
    proof = prove("ret = x", "ret == x", bound=bound)
    assert proof.outcome == "undecided"
    assert why in proof.detail


def test_unknown_strategy_is_undecided(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = x", "ret == x", strategy="believe")
    assert proof.outcome == "undecided"
    assert "'believe' cannot be run; known: exhaustive" in proof.detail


@pytest.mark.parametrize(
    "formula",
    [
        "(" * 400 + "x" + ")" * 400,
        "ret = " + "(" * 400 + "x" + ")" * 400,
        "ret = " + "-" * 900 + "x",
        "ret = x" + " + x" * 2_000,
        "f(x) = f(x)",
        "ret = __import__('os')",
        "ret = x ** 1e9",
        "ret = x * ((((3^8)^1000)^1000)^1000)^1000",
        "f(x) = f(f(x * x))",
        "ret = ret + x",
        "ret = -(x < 1)",
        "ret = x[x]",
        "ret = x x^T",
        "",
    ],
)
def test_hostile_formula_is_undecided(prove: Callable[..., Proof], formula: str) -> None:
    assert prove(formula, "ret == x + 1", limit_s=1).outcome in ("undecided", "refuted")


def test_hostile_domain_is_undecided(prove: Callable[..., Proof]) -> None:
    letters = ", ".join(f"x{k} [a{k}/64, b{k}/64]" for k in range(8))
    domain = f"x [..., n], {letters}"
    formula = "ret = " + " + ".join(f"sum(x{k})" for k in range(8))
    proof = prove(
        formula, "ret == 1", bound=64, domain=domain, pre="all(x0 == 0)", strategy="exhaustive"
    )
    assert proof.outcome == "undecided"
    assert "too many shapes" in proof.detail


def test_time_limit_ends_it(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = x", "ret == x", strategy="exhaustive", limit_s=0.0)
    assert proof.outcome == "undecided"
    assert "limit" in proof.detail


@needs_z3
def test_tolerance_counts(prove: Callable[..., Proof]) -> None:
    formula, claim = "ret = x + 0.001", "abs(ret - x) <= tol"
    assert prove(formula, claim, tolerance=0.01).outcome == "proved"
    assert prove(formula, claim, tolerance=0.0001).outcome == "refuted"


def test_obligation_in_prose_is_undecided(prove: Callable[..., Proof]) -> None:
    proof = prove("ret = x", "forall x: ret is fine")
    assert proof.outcome == "undecided"
    assert "is no predicate" in proof.detail
    assert "column" in proof.detail
