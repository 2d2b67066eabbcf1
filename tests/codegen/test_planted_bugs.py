"""Other people's tools find a planted bug through an exported module, and pass what is right."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from exporting import load
from hypothesis import given, settings
from hypothesis import strategies as st

from tracepact.codegen import export_contract
from tracepact.contracts import ContractRegistry
from tracepact.types import Array

REGISTRY = ContractRegistry.builtin()
ROWS = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=8).map(
    lambda row: np.array([row], np.float32)
)


def right(x: Array) -> Array:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def wrong(x: Array) -> Array:
    """Forgets the last element of a row of eight: a tail that a vector loop leaves over."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised[..., :7].sum(axis=-1, keepdims=True))


def run_hypothesis(module: dict[str, Any], kernel: Any) -> None:
    """One property test on whatever the module offers."""
    checked = module["enforce_softmax"](kernel) if "enforce_softmax" in module else None

    @settings(database=None, derandomize=True, max_examples=150, report_multiple_bugs=False)
    @given(ROWS)
    def contract_holds(x: Array) -> None:
        if checked is not None:
            checked(x)
            return
        assert module["check_softmax_requires"](x=x)
        assert module["check_softmax_ensures"](ret=kernel(x))

    contract_holds()


def test_hypothesis_finds_a_lost_tail(target: str) -> None:
    module = load(export_contract(REGISTRY, "softmax-kernel-v1", target).text)
    run_hypothesis(module, right)
    with pytest.raises(Exception, match=r"Output sums to 1|Every weight lies in") as failure:
        run_hypothesis(module, wrong)
    assert type(failure.value).__name__ in ("AssertionError", "ViolationError", "PostContractError")


LAUNCHES = """
    import checks


    def budget_us(bytes_moved: float, bandwidth_gbps: float, launches: int) -> float:
        assert checks.check_brick_budget_requires(
            efficiency=1.0, bandwidth_gbps=bandwidth_gbps, gflops=1.0
        )
        assert 0 <= bytes_moved < 1e12 and 0 <= launches < 1_000_000
        ret = max(bytes_moved / (bandwidth_gbps * 1e3), {launching})
        assert checks.check_brick_budget_ensures(
            budget_us=ret, bytes_moved=bytes_moved, bandwidth_gbps=bandwidth_gbps, flops=0.0,
            gflops=1.0, launch_overhead_us=5.0, launches=launches,
        )
        return ret
"""


@pytest.mark.slow
def test_crosshair_finds_the_one_number_that_is_wrong(tmp_path: Path) -> None:
    """Symbolic execution reads the assertions: no random value would ever be 12 345."""
    if importlib.util.find_spec("crosshair") is None:
        pytest.skip("needs crosshair-tool")
    text = export_contract(REGISTRY, "roofline-model-v1", "asserts").text
    (tmp_path / "checks.py").write_text(text)
    planted = "5.0 * launches if launches != 12345 else 0.0"
    for name, launching in (("right", "5.0 * launches"), ("wrong", planted)):
        source = dedent(LAUNCHES).format(launching=f"0.0, {launching}")
        (tmp_path / f"{name}.py").write_text(source)
    found = {"right": _crosshair(tmp_path, "right", 4), "wrong": _crosshair(tmp_path, "wrong", 60)}
    assert found["right"].returncode == 0, found["right"].stdout
    assert found["wrong"].returncode == 1
    assert "budget_us >= launch_overhead_us * launches" in found["wrong"].stdout
    assert "12345" in found["wrong"].stdout


def _crosshair(folder: Path, module: str, seconds: int) -> subprocess.CompletedProcess[str]:
    options = ["--analysis_kind=asserts", f"--per_condition_timeout={seconds}"]
    return subprocess.run(
        [sys.executable, "-m", "crosshair", "check", *options, f"{module}.py"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
