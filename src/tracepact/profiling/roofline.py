"""Budgets from the roofline contract: its formulas are evaluated, so editing the file moves them.

Sources: Williams, Waterman, Patterson 2009, "Roofline: an insightful visual performance model";
for inference of language models Yuan et al. 2024, arXiv:2402.16363.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from tracepact.contracts import Contract, ContractRegistry
from tracepact.errors import ConfigError
from tracepact.predicate import Formula, PredicateError, parse_formula
from tracepact.profiling.budget import BrickCost, TokenBudget
from tracepact.profiling.hardware import HardwareCapability

ROOFLINE_CONTRACT: Final = "roofline-model-v1"
_DEFAULT_US: Final = "default_us_per_token"


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Tokens a second that memory and arithmetic each allow."""

    bandwidth_tokens_per_sec: float
    compute_tokens_per_sec: float

    @property
    def is_memory_bound(self) -> bool:
        """Whether memory is the lower ceiling."""
        return self.bandwidth_tokens_per_sec < self.compute_tokens_per_sec


class Roofline:
    """The formulas of the roofline contract, parsed once, for one machine.

    A name in a formula stands for, in this order: an argument of the call, a figure of the
    hardware, the left side of another formula, a number in the contract's `performance` section
    (`efficiency`). A model that is not given is the section's `reference_model`.

    Args:
        contract: its formulas are of the form `name = expression`.
        hardware: known to the formulas as `bandwidth_gbps`, `gflops`, `launch_overhead_us` and
            `cold_start_us`.
    """

    def __init__(self, contract: Contract, hardware: HardwareCapability) -> None:
        self.contract = contract
        self._machine = {
            "bandwidth_gbps": hardware.memory_bandwidth_gbps,
            "gflops": hardware.matmul_gflops,
            "launch_overhead_us": hardware.launch_overhead_us,
            "cold_start_us": hardware.cold_start_us,
        }
        performance = contract.sections.get("performance")
        self._defaults = _numbers(performance)
        self._reference_model = _numbers(_entry(performance, "reference_model"))
        self._formulas = dict(_formulas(contract))
        self._by_left_side = {formula.name: name for name, formula in self._formulas.items()}

    @classmethod
    def from_registry(cls, registry: ContractRegistry, hardware: HardwareCapability) -> Self | None:
        """The roofline of that registry; None if it has no roofline contract."""
        contract = registry.contracts.get(ROOFLINE_CONTRACT)
        return None if contract is None else cls(contract, hardware)

    def evaluate(self, equation: str, **given: float) -> float:
        """Value of an equation's formula.

        Args:
            equation: its name in the contract.
            **given: names that the formula, or one that it builds on, may use.

        Raises:
            ConfigError: there is no such formula, or a name in it stands for nothing.
        """
        return self._evaluate(equation, self._machine | given, ())

    def token_budget(self, **model: float) -> TokenBudget:
        """What one decoded token of a model may take.

        Args:
            **model: `total_params` and `bits_per_weight`; `ops_per_token` if it is not two a
                weight.

        Without a model, and without a reference model in the contract, it is the contract's
        `default_us_per_token`.
        """
        known = self._model(model)
        if not known and _DEFAULT_US in self._defaults:
            return TokenBudget.from_latency(self._defaults[_DEFAULT_US])
        return TokenBudget.from_latency(self.evaluate("token_budget", **known))

    def ceilings(self, **model: float) -> Ceilings:
        """What limits a model on this machine; arguments as for `token_budget`."""
        known = self._model(model)
        return Ceilings(
            self.evaluate("bandwidth_ceiling", **known), self.evaluate("compute_ceiling", **known)
        )

    def brick_budget_us(self, cost: BrickCost) -> float:
        """What one call of a brick may take, in microseconds."""
        return self.evaluate(
            "brick_budget",
            bytes_moved=cost.bytes_moved,
            flops=cost.flops,
            launches=cost.launches,
        )

    def _model(self, given: Mapping[str, float]) -> dict[str, float]:
        model = dict(given or self._reference_model)
        if "total_params" in model and "ops_per_token" not in self._by_left_side:
            # A multiplication and an addition for each weight.
            model.setdefault("ops_per_token", 2 * model["total_params"])
        return model

    def _evaluate(
        self, equation: str, given: Mapping[str, float], under_way: tuple[str, ...]
    ) -> float:
        formula = self._formulas.get(equation)
        if formula is None:
            raise ConfigError(
                f"{self.contract.path}: equation {equation!r} has no formula of the form "
                f"'name = expression'; those that have one: {', '.join(self._formulas) or 'none'}"
            )
        if equation in under_way:
            raise ConfigError(f"{self.contract.path}: formula {formula.text!r} builds on itself")
        values = {
            name: self._value(name, formula, given, (*under_way, equation))
            for name in sorted(formula.fields)
        }
        return float(formula.evaluate(**values))

    def _value(
        self, name: str, formula: Formula, given: Mapping[str, float], under_way: tuple[str, ...]
    ) -> float:
        if name in given:
            return given[name]
        if name in self._by_left_side:
            return self._evaluate(self._by_left_side[name], given, under_way)
        if name in self._defaults:
            return self._defaults[name]
        known = sorted({*given, *self._by_left_side, *self._defaults})
        raise ConfigError(
            f"{self.contract.path}: formula {formula.text!r} uses {name!r}, which is neither given "
            f"nor a formula nor a number under 'performance'; known: {', '.join(known)}"
        )


def derive_budget(
    registry: ContractRegistry, hardware: HardwareCapability, **model: float
) -> TokenBudget | None:
    """Budget of a token from the registry's roofline contract; None if it has none.

    Args:
        registry: the formulas.
        hardware: what to evaluate them for.
        **model: `total_params` and `bits_per_weight`; by default the contract's reference model.
    """
    roofline = Roofline.from_registry(registry, hardware)
    return None if roofline is None else roofline.token_budget(**model)


def _formulas(contract: Contract) -> Iterator[tuple[str, Formula]]:
    for equation in contract.equations.values():
        try:
            yield equation.name, parse_formula(equation.formula, origin=equation.location)
        except PredicateError:
            continue  # mathematics for people; `evaluate` reports it should it be needed


def _entry(section: Any, key: str) -> Any:
    return section.get(key) if isinstance(section, Mapping) else None


def _numbers(section: Any) -> dict[str, float]:
    """The numbers in a section of a contract, which may hold anything."""
    entries = section.items() if isinstance(section, Mapping) else ()
    return {
        str(key): float(value)
        for key, value in entries
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
