"""Budgets come from the formulas in the contract and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError
from tracepact.profiling import (
    ROOFLINE_CONTRACT,
    BrickCost,
    HardwareCapability,
    Roofline,
    TokenBudget,
    derive_budget,
)

FORMULAS = {
    "model_bytes": "model_bytes = total_params * bits_per_weight / 8",
    "bandwidth_ceiling": "bw_ceiling = bandwidth_gbps / (model_bytes / 1e9)",
    "compute_ceiling": "compute_ceiling = gflops / (ops_per_token / 1e9)",
    "throughput_bound": "throughput = min(bw_ceiling, compute_ceiling)",
    "token_budget": "us_per_token = 1e6 / throughput",
}
HARDWARE = HardwareCapability(
    cpu_model="Test CPU",
    physical_cores=1,
    logical_cores=1,
    memory_bandwidth_gbps=100.0,
    matmul_gflops=1000.0,
    launch_overhead_us=1.0,
    cold_start_us=0.0,
)
COUNTS = st.floats(min_value=0.0, max_value=1e15)


def _roofline(
    folder: Path,
    formulas: Mapping[str, str] = FORMULAS,
    performance: object = None,
) -> Roofline:
    document = {
        "metadata": {"version": "1.0.0"},
        "equations": {name: {"formula": text} for name, text in formulas.items()},
        "performance": performance,
    }
    (folder / f"{ROOFLINE_CONTRACT}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    roofline = Roofline.from_registry(ContractRegistry.load(folder), HARDWARE)
    assert roofline is not None
    return roofline


@pytest.fixture(scope="module")
def shipped() -> Roofline:
    roofline = Roofline.from_registry(ContractRegistry.builtin(), HARDWARE)
    assert roofline is not None
    return roofline


def test_a_token_takes_the_time_to_read_all_weights(shipped: Roofline) -> None:
    """10⁹ parameters of 8 bits at 100 GB/s: 100 tokens a second."""
    budget = shipped.token_budget(total_params=1e9, bits_per_weight=8)
    assert budget.us_per_token == pytest.approx(10_000.0)
    assert budget.tokens_per_sec == pytest.approx(100.0)


def test_model_is_memory_bound_iff_bandwidth_is_the_lower_ceiling(shipped: Roofline) -> None:
    memory = shipped.ceilings(total_params=1e9, bits_per_weight=8)
    assert memory.bandwidth_tokens_per_sec == pytest.approx(100.0)
    assert memory.compute_tokens_per_sec == pytest.approx(500.0)
    assert memory.is_memory_bound
    assert not shipped.ceilings(total_params=1e9, bits_per_weight=1).is_memory_bound


def test_operations_of_a_token_may_be_given(shipped: Roofline) -> None:
    """A mixture of experts computes with fewer weights than it has."""
    few = shipped.ceilings(total_params=1e9, bits_per_weight=8, ops_per_token=1e9)
    assert few.compute_tokens_per_sec == pytest.approx(1000.0)


def test_brick_budget_is_the_larger_time_over_efficiency_and_launches(shipped: Roofline) -> None:
    # 1 MB at 100 GB/s is 10 µs; 1 MFLOP at 1000 GFLOP/s is 1 µs.
    assert shipped.brick_budget_us(BrickCost(1e6, 1e6, 3)) == pytest.approx(10 / 0.9 + 3)
    assert shipped.brick_budget_us(BrickCost(0, 1e8, 0)) == pytest.approx(100 / 0.9)


@given(COUNTS, COUNTS, st.integers(0, 10**6))
def test_brick_budget_never_asks_for_more_than_the_hardware_gives(
    bytes_moved: float, flops: float, launches: int
) -> None:
    roofline = Roofline.from_registry(ContractRegistry.builtin(), HARDWARE)
    assert roofline is not None
    budget_us = roofline.brick_budget_us(BrickCost(bytes_moved, flops, launches))
    floor_us = max(bytes_moved / 100e3, flops / 1000e3)
    assert budget_us >= floor_us
    assert budget_us >= launches
    assert budget_us == pytest.approx(floor_us / 0.9 + launches)


def test_shipped_contract_has_a_model_of_its_own(tmp_path: Path) -> None:
    """Without arguments its formulas are used too: twice the memory traffic, twice the time."""
    contract = ContractRegistry.builtin().contracts[ROOFLINE_CONTRACT]
    text = contract.path.read_text(encoding="utf-8")
    formula = "model_bytes = total_params * bits_per_weight / 8"
    assert formula in text
    (tmp_path / contract.path.name).write_text(
        text.replace(formula, formula + " * 2"), encoding="utf-8"
    )
    budget = derive_budget(ContractRegistry.builtin(), HARDWARE)
    doubled = derive_budget(ContractRegistry.load(tmp_path), HARDWARE)
    assert budget is not None
    assert doubled is not None
    assert doubled.us_per_token == pytest.approx(2 * budget.us_per_token)


def test_registry_without_roofline_contract_gives_no_budget() -> None:
    assert derive_budget(ContractRegistry(), HARDWARE) is None
    assert Roofline.from_registry(ContractRegistry(), HARDWARE) is None


def test_registry_derives_the_same_budget() -> None:
    registry = ContractRegistry.builtin()
    assert registry.derive_budget(HARDWARE) == derive_budget(registry, HARDWARE)


def test_model_of_the_contract_is_used_when_none_is_given(tmp_path: Path) -> None:
    roofline = _roofline(
        tmp_path,
        performance={"reference_model": {"total_params": 2e9, "bits_per_weight": 4}},
    )
    assert roofline.token_budget().us_per_token == pytest.approx(10_000.0)
    given = roofline.token_budget(total_params=1e9, bits_per_weight=4)
    assert given.us_per_token == pytest.approx(5_000.0)


def test_given_model_is_not_mixed_with_the_contracts_model(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, performance={"reference_model": {"bits_per_weight": 4}})
    with pytest.raises(ConfigError, match="uses 'bits_per_weight', which is neither given"):
        roofline.token_budget(total_params=1e9)


def test_number_in_the_contract_does_not_stand_in_for_the_hardware(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, performance={"bandwidth_gbps": 1, "total_params": 1})
    budget = roofline.token_budget(total_params=1e9, bits_per_weight=8)
    assert budget.us_per_token == pytest.approx(10_000.0)


def test_contract_without_a_model_states_a_default(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, performance={"default_us_per_token": 70})
    assert roofline.token_budget() == TokenBudget.from_latency(70.0)


def test_operations_of_a_token_may_be_a_formula_of_the_contract(tmp_path: Path) -> None:
    formulas = FORMULAS | {"ops_per_token": "ops_per_token = 200 * total_params"}
    roofline = _roofline(tmp_path, formulas)
    assert roofline.token_budget(total_params=1e9, bits_per_weight=8).us_per_token == pytest.approx(
        200_000.0
    )


@pytest.mark.parametrize("performance", [None, 5, "fast", [1], {"efficiency": True}])
def test_performance_section_of_another_shape_means_no_defaults(
    tmp_path: Path, performance: object
) -> None:
    roofline = _roofline(tmp_path, performance=performance)
    with pytest.raises(ConfigError, match="uses 'bits_per_weight'"):
        roofline.token_budget()


def test_unknown_name_in_a_formula_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, FORMULAS | {"token_budget": "us_per_token = 1e6 / thruput"})
    with pytest.raises(ConfigError, match=r"roofline-model-v1\.yaml: .*'thruput'.*throughput"):
        roofline.token_budget(total_params=1e9, bits_per_weight=8)


def test_formula_that_builds_on_itself_is_reported(tmp_path: Path) -> None:
    formulas = {"token_budget": "us_per_token = 2 * half", "half": "half = us_per_token / 2"}
    with pytest.raises(ConfigError, match="builds on itself"):
        _roofline(tmp_path, formulas).token_budget(total_params=1)


def test_prose_instead_of_a_formula_is_reported_when_it_is_needed(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, FORMULAS | {"brick_budget": "as fast as it goes"})
    assert roofline.token_budget(total_params=1e9, bits_per_weight=8).us_per_token > 0
    with pytest.raises(ConfigError, match="'brick_budget' has no formula .* model_bytes"):
        roofline.brick_budget_us(BrickCost(1, 1, 1))


def test_formula_that_yields_no_time_is_reported(tmp_path: Path) -> None:
    roofline = _roofline(tmp_path, {"token_budget": "us_per_token = 0 * total_params"})
    with pytest.raises(ConfigError, match="must be positive and finite"):
        roofline.token_budget(total_params=1)
