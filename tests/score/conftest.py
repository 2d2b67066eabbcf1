"""A small project: one contract, one binding file, one module, one file of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tracepact.evidence import Kind, Result

KINDS: tuple[Kind, ...] = ("property", "bounded")

CONTRACT = """\
metadata: {version: 1.0.0, references: [a paper]}
equations:
  scale:
    formula: ret = 2 * x
    domain: x [n]
    invariants: [doubles]
    tolerance: 1.0e-6
    preconditions: ['all(isfinite(x))']
    postconditions: ['all(isfinite(ret))']
proof_obligations:
  - {type: invariant, property: Output is finite}
  - {type: linearity, property: Doubles}
falsification_tests:
  - {id: F-1, rule: Output is finite, prediction: p, test: 'tests/test_scale.py::test_finite'}
  - {id: F-2, rule: Doubles, prediction: q, test: 'tests/test_scale.py::test_doubles'}
kani_harnesses:
  - {id: K-1, obligation: Output is finite, bound: 3, strategy: exhaustive, harness: test_bounded}
  - {id: K-2, obligation: Doubles, bound: 3, strategy: bounded_int, harness: test_bounded}
kernel_structure: {phases: [{name: scaling}]}
"""
BINDING = """\
bindings:
  - contract: scale-v1
    equation: scale
    module_path: kernels
    function: scale
    status: implemented
"""
TESTS = """\
from hypothesis import given, strategies as st

def test_finite():
    assert scale(1) < 3

@given(st.integers())
def test_doubles(n):
    assert scale(n) == 2 * n

def test_bounded():
    assert all(scale(n) == 2 * n for n in range(3))
"""


STEM, FINITE, DOUBLES = "scale-v1", "Output is finite", "Doubles"


@pytest.fixture
def passed() -> list[Result]:
    """What a run of everything in the project leaves behind."""
    file = "tests/test_scale.py"
    names = ("test_finite", "test_doubles", "test_bounded")
    return [
        *(Result(test=f"{file}::{name}", kind="test", outcome="passed") for name in names),
        *(
            Result(
                test=f"binding.yaml::{STEM}::{id_}",
                kind="falsification",
                outcome="passed",
                contract=STEM,
                obligation=id_,
            )
            for id_ in ("F-1", "F-2")
        ),
        *(
            Result(
                test=f"binding.yaml::{STEM}::{kind}::{name}",
                kind=kind,
                outcome="passed",
                contract=STEM,
                equation="scale",
                obligation=name,
                detail="exhaustive: 512 cases" if kind == "bounded" else "100 examples",
            )
            for kind in KINDS
            for name in (FINITE, DOUBLES)
        ),
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "scale-v1.yaml").write_text(CONTRACT)
    (tmp_path / "binding.yaml").write_text(BINDING)
    (tmp_path / "kernels.py").write_text("def scale(x: float) -> float:\n    return 2 * x\n")
    (tmp_path / "tests" / "test_scale.py").write_text(TESTS)
    return tmp_path


@pytest.fixture
def edit(project: Path) -> Callable[[str, str, str], None]:
    """Replace a text that is there, in a file of the project."""

    def replace(name: str, old: str, new: str) -> None:
        text = (project / name).read_text()
        assert old in text
        (project / name).write_text(text.replace(old, new))

    return replace
