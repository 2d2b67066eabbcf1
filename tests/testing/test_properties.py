"""Each type of obligation is tested as its formal, or its type, says: good passes, bad does not."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from tracepact.core import using_core

pytest_plugins = ["pytester"]

Project = Callable[..., None]
Run = Callable[..., pytest.RunResult]

CONTRACT = """
metadata: {{kind: kernel}}
equations:
  f:
    formula: ret = f(x)
    domain: '{domain}'
    tolerance: 1.0e-5
    preconditions: ['all(isfinite(x))']
proof_obligations:
  - {{type: {type}, property: '{property}', formal: '{formal}', applies_to: f}}
"""

TWO = """
bindings:
  - {{module_path: kernels, function: {first}, contract: own-v1, equation: f, status: partial}}
  - {{module_path: kernels, function: {second}, contract: own-v1, equation: {g}, status: partial}}
"""


CASES = [
    # type, property, formal, good, bad
    ("invariant", "Finite", "all(isfinite(ret))", "np.abs(x)", "np.abs(x) / x"),
    ("bound", "Within 1", "-1 <= ret <= 1", "np.tanh(x)", "x"),
    ("postcondition", "Not negative", "ret >= 0", "x * x", "x"),
    ("equivalence", "Rectifier", "ret == max(x, 0)", "np.maximum(x, 0)", "np.abs(x)"),
    ("conservation", "Keeps the sum", "abs(sum(ret) - sum(x)) <= tol * (1 + sum(abs(x)))",
     "x[..., ::-1]", "x * x"),
    ("frame", "Input is left alone", "x == old(x)", "x + 1", "np.add(x, 1, out=x)"),
    ("determinism", "Same bits twice", "f(x) is a function", "x * 2", "x + np.random.random()"),
    ("determinism", "Same bits twice", "ret == second", "x * 2", "x + np.random.random()"),
    ("idempotency", "Once is enough", "f(f(x)) = f(x)", "np.abs(x)", "x + 1"),
    ("involution", "Back after two", "f(f(x)) = x", "-x", "np.abs(x)"),
    ("linearity", "Is linear", "f(ax + y) = a f(x) + f(y)", "3 * x", "x * x + 1"),
    ("linearity", "Is linear", "", "3 * x", "3 * x + 100"),
    ("monotonicity", "Never falls", "x <= y => f(x) <= f(y)", "np.tanh(x)", "x * x"),
    ("symmetry", "Even", "f(-x) = f(x)", "x * x", "x"),
    ("symmetry", "Odd", "f(-x) = -f(x)", "x", "x * x"),
    ("symmetry", "A shift changes nothing", "f(x + c) = f(x)",
     "x - x.max(axis=-1, keepdims=True)", "x * 2"),
    ("symmetry", "Permutation of a row", "f(P x) = P f(x)", "x * 2", "np.cumsum(x, axis=-1)"),
    ("symmetry", "A shift changes nothing", "abs(ret - shifted) <= tol",
     "x - x.max(axis=-1, keepdims=True)", "x * 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "property_", "formal", "good", "bad"),
    CASES,
    ids=[f"{type_}-{number}" for number, (type_, *_) in enumerate(CASES)],
)
def test_good_function_passes_and_bad_one_fails(
    project: Project,
    run: Run,
    pytester: pytest.Pytester,
    type_: str,
    property_: str,
    formal: str,
    good: str,
    bad: str,
) -> None:
    own = CONTRACT.format(type=type_, property=property_, formal=formal, domain="x [..., n]")
    source = f"def good(x: Array): return {good}\ndef bad(x: Array): return {bad}\n"
    project(source, contract="own-v1", equation="f", function="good", own=own)
    (pytester.path / "binding.yaml").write_text(TWO.format(first="good", second="bad", g="f"))
    result = run("-v", "-k", "not interface")
    result.stdout.fnmatch_lines(["*kernels:good? PASSED*", "*kernels:bad? FAILED*"])


@pytest.mark.parametrize(("inverse", "outcome"), [("x - 1", "passed"), ("x - 2", "failed")])
def test_roundtrip_calls_the_other_bound_function(
    project: Project, run: Run, pytester: pytest.Pytester, inverse: str, outcome: str
) -> None:
    own = CONTRACT.format(
        type="roundtrip", property="There-and-back", formal="g(f(x)) = x", domain="x [..., n]"
    ).replace(
        "proof_obligations", "  g: {formula: ret = x - 1, domain: 'x [n]'}\nproof_obligations"
    )
    source = f"def first(x: Array): return x + 1\ndef second(x: Array): return {inverse}\n"
    project(source, contract="own-v1", equation="f", function="first", own=own)
    (pytester.path / "binding.yaml").write_text(TWO.format(first="first", second="second", g="g"))
    assert run("-k", "back").parseoutcomes() == {outcome: 1, "deselected": 2}


@pytest.mark.parametrize(("other", "outcome"), [("x * 2", "passed"), ("x * 3", "failed")])
def test_equivalence_compares_with_another_function_of_the_equation(
    project: Project, run: Run, pytester: pytest.Pytester, other: str, outcome: str
) -> None:
    own = CONTRACT.format(
        type="equivalence", property="As the reference", domain="x [..., n]",
        formal="abs(ret - reference) <= tol * (1 + abs(ret))",
    )  # fmt: skip
    source = f"def first(x: Array): return x + x\ndef second(x: Array): return {other}\n"
    project(source, contract="own-v1", equation="f", function="first", own=own)
    (pytester.path / "binding.yaml").write_text(TWO.format(first="first", second="second", g="f"))
    assert run("-k", "reference").parseoutcomes() == {outcome: 2, "deselected": 2}


@pytest.mark.parametrize(
    ("type_", "formal", "domain", "reason"),
    [
        ("invariant", "", "x [..., n]", "it has no formal"),
        ("invariant", "∀x. P(x)", "x [..., n]", "no dialect understands its formal"),
        ("invariant", "ret <= other", "x [..., n]", "its formal looks at other*define it in"),
        ("invariant", "True", "x [..., n]", "its formal holds whatever the function returns"),
        ("invariant", "x == x", "x [..., n]", "its formal holds whatever the function returns"),
        ("bound", "len(ret) >= 0", "x [..., n]", "its formal holds whatever the function returns"),
        ("equivalence", "abs(ret - reference) <= tol", "x [..., n]", "there is no reference"),
        ("roundtrip", "", "x [..., n]", "a roundtrip needs the inverse"),
        ("invariant", "ret == x", "x [..., n!]", "its shape *n!* cannot be read"),
    ],
)
def test_what_cannot_be_tested_is_skipped_with_a_reason(
    project: Project, run: Run, type_: str, formal: str, domain: str, reason: str
) -> None:
    own = CONTRACT.format(type=type_, property="Claim", formal=formal, domain=domain)
    project("def f(x: Array): return x", contract="own-v1", equation="f", function="f", own=own)
    result = run("-rs", "-k", "Claim")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}*"])


def test_rejecting_precondition_is_named_and_a_strategy_helps(
    project: Project, run: Run, pytester: pytest.Pytester
) -> None:
    own = CONTRACT.format(
        type="invariant", property="Claim", formal="abs(sum(ret) - 7) <= tol", domain="x [n]"
    ).replace("all(isfinite(x))", "sum(x) == 7")
    project("def f(x: Array): return x", contract="sevens-v1", equation="f", function="f", own=own)
    result = run("-rs", "-k", "Claim")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines(
        ['*too few inputs meet the precondition \'sum(x) == 7\'*strategy("sevens-v1", "f")*']
    )
    pytester.makeconftest(
        textwrap.dedent("""
        import numpy as np
        import tracepact.testing

        @tracepact.testing.strategy("sevens-v1", "f")
        def sevens(draw, given):
            return {"x": np.float32([3, 4])}
        """)
    )
    run("-k", "Claim").assert_outcomes(passed=1, deselected=1)


def test_precondition_that_no_dialect_understands_is_named(project: Project, run: Run) -> None:
    own = CONTRACT.format(type="bound", property="Claim", formal="ret >= 0", domain="x [n]")
    own = own.replace("all(isfinite(x))", "for all i: x_i > 0")
    project("def f(x: Array): return x", contract="own-v1", equation="f", function="f", own=own)
    result = run("-rs", "-k", "Claim")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines(["*understands the precondition 'for all i: x_i > 0'*"])


def test_fault_of_the_evaluation_is_no_pass(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    own = CONTRACT.format(type="bound", property="Claim", formal="ret >= 0", domain="x [n]")
    project(
        "def f(x: Array): return abs(x)", contract="own-v1", equation="f", function="f", own=own
    )
    monkeypatch.setattr("tracepact.tracing.site.Site._examine", fail)
    with using_core("python"):
        result = run("-rs", "-k", "Claim")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines(["*tracepact could not evaluate it: *RuntimeError*"])


def test_method_without_an_object_is_skipped(project: Project, run: Run) -> None:
    own = CONTRACT.format(type="bound", property="Claim", formal="ret >= 0", domain="x [n]")
    source = "class C:\n    def f(self, x: Array): return abs(x)\n"
    project(source, contract="method-v1", equation="f", function="C.f", own=own)
    result = run("-rs", "-k", "Claim")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines(["*self: a method needs an object*conftest.py*"])


def test_contract_text_is_never_run(project: Project, run: Run, pytester: pytest.Pytester) -> None:
    evil = '__import__("pathlib").Path("owned").touch()'
    own = CONTRACT.format(
        type="symmetry", property="Claim", formal=f"ret == {evil}",
        domain=f"x [..., {evil}], y = f({evil})",
    )  # fmt: skip
    project("def f(x: Array): return x", contract="own-v1", equation="f", function="f", own=own)
    run()
    assert not (pytester.path / "owned").exists()
