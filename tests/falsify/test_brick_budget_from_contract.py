"""FALSIFY-T3-002: a brick's budget comes from the roofline YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.predicate import Formula
from tracepact.profiling import BrickCost, ComputeBrick, HardwareCapability, Roofline

TOKEN_FORMULA = "us_per_token = 1e6 * (total_params * bits_per_weight / 8) / (bandwidth_gbps * 1e9)"
BRICK_FORMULA = "budget_us = bytes_moved / (bandwidth_gbps * 1e3) + launch_overhead_us * launches"
HARDWARE = HardwareCapability(
    cpu_model="Test CPU",
    physical_cores=1,
    logical_cores=1,
    memory_bandwidth_gbps=100.0,
    matmul_gflops=1000.0,
    launch_overhead_us=1.0,
    cold_start_us=0.0,
)


def _budgets(folder: Path, token_formula: str, brick_formula: str) -> tuple[float, float]:
    """Budget of a token and of a brick, in µs, by a contract with these formulas."""
    folder.mkdir()
    (folder / "roofline-model-v1.yaml").write_text(
        f"""\
metadata: {{version: 1.0.0, description: Written by a test}}
equations:
  token_budget: {{formula: '{token_formula}'}}
  brick_budget: {{formula: '{brick_formula}'}}
performance:
  reference_model: {{total_params: 1.0e+9, bits_per_weight: 8}}
""",
        encoding="utf-8",
    )
    registry = ContractRegistry.load(folder)
    brick = ComputeBrick.from_contract(registry, HARDWARE)
    assert brick.contract_id == "roofline-model-v1"
    roofline = Roofline.from_registry(registry, HARDWARE)
    assert roofline is not None
    return brick.budget.us_per_token, roofline.brick_budget_us(BrickCost(1e6, 0, 2))


def _claim(folder: Path) -> None:
    """Doubling the formulas in the YAML doubles the budgets."""
    budgets = _budgets(folder / "once", TOKEN_FORMULA, BRICK_FORMULA)
    doubled = _budgets(
        folder / "twice",
        TOKEN_FORMULA.replace("= ", "= 2 * "),
        BRICK_FORMULA.replace("= ", "= 2 * (") + ")",
    )
    assert budgets == pytest.approx((10_000.0, 12.0))
    assert doubled == pytest.approx((20_000.0, 24.0))


def test_brick_budget_from_contract(tmp_path: Path) -> None:
    """FALSIFY-T3-002."""
    _claim(tmp_path)


def test_claim_is_refuted_where_formulas_are_not_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Companion: with a constant instead of the formulas' values the claim fails."""
    monkeypatch.setattr(Formula, "evaluate", lambda *_, **__: 50.0)
    with pytest.raises(AssertionError):
        _claim(tmp_path)
