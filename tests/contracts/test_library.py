"""The shipped contracts: every predicate can hold, can be refuted, and has a name."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from tracepact.contracts import Condition, Contract, ContractRegistry
from tracepact.exporters import MemoryExporter
from tracepact.kernels.activations import silu
from tracepact.kernels.norms import rms_norm
from tracepact.kernels.rope import rotation_table
from tracepact.kernels.softmaxes import softmax
from tracepact.predicate import PredicateError, parse_formula
from tracepact.tracing import ContractTracingLayer

if TYPE_CHECKING:
    from library_examples.case import Case

_HERE = Path(__file__).parent
# Tests are no package: the folder of examples is found through the path.
sys.path.insert(0, str(_HERE))
_MODULES = [
    importlib.import_module(f"library_examples.{module.name}")
    for module in pkgutil.iter_modules([str(_HERE / "library_examples")])
]
_CASES: dict[str, Case] = {
    case.id: case for module in _MODULES for case in getattr(module, "CASES", [])
}

REGISTRY = ContractRegistry.builtin()
CONTRACTS = tuple(REGISTRY.contracts.values())
EQUATIONS = [(c.stem, name) for c in CONTRACTS for name in c.equations]
KINDS = ("preconditions", "postconditions")


def _conditions(stem: str, equation: str) -> list[Condition]:
    found = [getattr(REGISTRY, kind)(stem, equation) for kind in KINDS]
    return [condition for conditions in found for condition in conditions]


def _id(condition: Condition) -> str:
    """How tests and the contract files name a condition."""
    words = re.sub(r"[^a-z0-9]+", "-", condition.obligation.lower()).strip("-")
    role = "" if condition.kind == "postcondition" else "requires-"
    return f"{condition.contract}-{condition.equation}-{role}{words}"


CONDITIONS = {_id(c): c for equation in EQUATIONS for c in _conditions(*equation)}


def _case_of(condition: Condition) -> Case:
    return _CASES[f"{condition.contract}-{condition.equation}"]


@pytest.fixture(params=list(CONDITIONS.values()), ids=list(CONDITIONS))
def condition(request: pytest.FixtureRequest) -> Condition:
    """Every pre- and postcondition of the library."""
    found: Condition = request.param
    return found


@pytest.fixture(params=CONTRACTS, ids=lambda contract: contract.stem)
def contract(request: pytest.FixtureRequest) -> Contract:
    """Every contract of the library."""
    found: Contract = request.param
    return found


# -- every predicate can hold, and can be refuted ---------------------------------------------


def test_good_value_is_accepted(condition: Condition) -> None:
    """A correct computation on random data satisfies every predicate."""
    good = _case_of(condition).good
    assert not condition.predicate.explain(tol=condition.tolerance, **good)


def test_bad_value_is_refuted(condition: Condition) -> None:
    """A realistic fault violates the predicate, and the explanation names a measured value."""
    case = _case_of(condition)
    fields = case.good | case.bad[condition.obligation]
    assert not condition.predicate.check(tol=condition.tolerance, **fields)
    assert condition.predicate.explain(tol=condition.tolerance, **fields)


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES.keys())
def test_bounded_inputs_hold(case: Case) -> None:
    """All inputs of a grid satisfy every predicate: what the harnesses of the files name."""
    conditions = _conditions(case.contract, case.equation)
    ran = False
    for fields in case.bounded():
        for condition in conditions:
            if not condition.predicate.check(tol=condition.tolerance, **fields):
                pytest.fail(f"{condition.predicate.explain(tol=condition.tolerance, **fields)}")
        ran = True
    assert ran


def test_every_equation_has_examples() -> None:
    """A new equation or predicate without examples, or an example of none, fails here."""
    assert sorted(_CASES) == sorted(f"{stem}-{equation}" for stem, equation in EQUATIONS)
    for stem, equation in EQUATIONS:
        stated = sorted(c.obligation for c in _conditions(stem, equation))
        assert sorted(_CASES[f"{stem}-{equation}"].bad) == stated


def test_conditions_have_names_of_their_own() -> None:
    """Two conditions with one name would hide each other in the tests above."""
    assert len(CONDITIONS) == sum(len(_conditions(*equation)) for equation in EQUATIONS)


# -- healthy computations in every storage type raise no alarm --------------------------------


def _softmax(dtype: Any) -> dict[str, Any]:
    x = np.random.default_rng(1).normal(0, 6, (2, 3, 8_192)).astype(dtype)
    x[1, 2, 4_000:] = -np.inf
    return {"x": x, "ret": softmax(x.astype(np.float32)).astype(dtype)}


def _rms_norm(dtype: Any) -> dict[str, Any]:
    x = np.random.default_rng(2).normal(0, 3, (5, 576)).astype(dtype)
    x[1, 9], x[4] = 22_500, 0  # a channel as large as in healthy models, and padding
    weight = np.full(576, 2.5, dtype)
    # Normalised in float32, rounded, then multiplied in the storage type, as transformers does.
    plain = rms_norm(x.astype(np.float32), np.ones(576, np.float32), 1e-5).astype(dtype)
    return {"x": x, "weight": weight, "eps": 1e-5, "ret": plain * weight}


def _rope(dtype: Any) -> dict[str, Any]:
    x = np.random.default_rng(3).normal(0, 8, (4, 3, 64)).astype(dtype)
    cos, sin = (t.astype(dtype) for t in rotation_table(np.arange(8_000, 8_004), 32))
    # In the storage type from end to end, as engines compute it.
    a, b, c, s = x[..., :32], x[..., 32:], cos[:, None, :], sin[:, None, :]
    return {
        "x": x,
        "cos": cos,
        "sin": sin,
        "ret": np.concatenate([a * c - b * s, a * s + b * c], -1),
    }


def _swiglu(dtype: Any) -> dict[str, Any]:
    gate, up = np.random.default_rng(4).normal(0, 20, (2, 3, 1_536)).astype(dtype)
    return {
        "gate": gate,
        "up": up,
        "ret": silu(gate.astype(np.float32)).astype(dtype) * up,
    }


def _checksum(dtype: Any) -> dict[str, Any]:
    generator = np.random.default_rng(5)
    x = generator.normal(0, 1, (3, 576)).astype(dtype)
    x[:, 7] = 22_500
    weight = generator.normal(0.01, 0.05, (1_536, 576)).astype(dtype)
    exact = weight.astype(np.float64)
    return {
        "x": x,
        "ret": (x.astype(np.float32) @ weight.astype(np.float32).T).astype(dtype),
        "column_sums": exact.sum(axis=0),
        "bias_sum": 0.0,
        "weight_norm": float(np.linalg.norm(exact)),
    }


def _residual(dtype: Any) -> dict[str, Any]:
    x, update = np.random.default_rng(6).normal(0, 100, (2, 3, 576)).astype(dtype)
    return {"x": x, "update": update, "ret": x + update}


HEALTHY = {
    ("softmax-kernel-v1", "softmax"): _softmax,
    ("rmsnorm-kernel-v1", "rmsnorm"): _rms_norm,
    ("rope-kernel-v1", "rope"): _rope,
    ("activation-kernel-v1", "swiglu"): _swiglu,
    ("linear-projection-v1", "checksum"): _checksum,
    ("tensor-shape-flow-v1", "residual"): _residual,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("equation", HEALTHY.keys(), ids="/".join)
def test_healthy_kernel_raises_no_alarm(equation: tuple[str, str], dtype: Any) -> None:
    """Rounding of the storage type is no violation, also for values as large as models have."""
    memory = MemoryExporter()
    layer = ContractTracingLayer(REGISTRY, exporters=[memory])
    site = layer.site(*equation, preconditions=True)
    assert site.check(**HEALTHY[equation](dtype)), memory.violations
    assert layer.faults == {}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("equation", HEALTHY.keys(), ids="/".join)
def test_scaled_row_raises_alarm(equation: tuple[str, str], dtype: Any) -> None:
    """The same tolerances still find a row that is scaled by 0.93, in every storage type."""
    fields = HEALTHY[equation](dtype)
    fields["ret"][0] = (fields["ret"][0].astype(np.float32) * 0.93).astype(dtype)
    memory = MemoryExporter()
    site = ContractTracingLayer(REGISTRY, exporters=[memory]).site(*equation)
    assert not site.check(**fields)
    assert memory.violations[0].obligation


# -- what the files say is consistent ---------------------------------------------------------


def test_library_is_understood_completely() -> None:
    assert REGISTRY.problems == ()
    assert len(CONTRACTS) >= 28


def test_metadata_is_complete(contract: Contract) -> None:
    metadata = contract.metadata
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata.version)
    assert metadata.created == "2026-11-22"
    assert metadata.author == "The tracepact authors"
    assert metadata.description
    assert metadata.references


def test_reference_says_where_to_find_it(contract: Contract) -> None:
    """Author, year in parentheses, and a venue or an arXiv id."""
    for reference in contract.metadata.references:
        assert re.match(r".+ \((19|20)\d\d\)\. .+\. ?.+", reference), reference


def test_dependencies_exist_and_have_no_cycle() -> None:
    graph = {c.stem: c.metadata.depends_on for c in CONTRACTS}
    assert {stem for needed in graph.values() for stem in needed} <= graph.keys()
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_every_postcondition_has_one_obligation(contract: Contract) -> None:
    """A violation finds the name of the property by the predicate's own text."""
    stated = sorted((o.applies_to, o.formal, o.tolerance) for o in contract.obligations)
    conditions = [c for name in contract.equations for c in _postconditions(contract, name)]
    assert stated == sorted(
        ((c.equation,), c.expression, c.tolerance if c.predicate.uses_tolerance else None)
        for c in conditions
    )


def test_no_predicate_fills_up_several_equations(contract: Contract) -> None:
    formal = [obligation.formal for obligation in contract.obligations]
    properties = [obligation.property for obligation in contract.obligations]
    assert len(set(formal)) == len(formal)
    assert len(set(properties)) == len(properties)


def test_every_equation_is_described(contract: Contract) -> None:
    for equation in contract.equations.values():
        assert equation.formula
        assert equation.domain
        assert equation.codomain
        assert equation.invariants
        assert equation.postconditions


def test_tolerances_are_numbers_where_they_are_used(contract: Contract) -> None:
    for name, equation in contract.equations.items():
        used = any(c.predicate.uses_tolerance for c in _conditions(contract.stem, name))
        assert (equation.tolerance is not None) == used


def test_provability_invariant_holds(contract: Contract) -> None:
    """At least one obligation and harness, and a falsification test for each obligation."""
    assert contract.obligations
    assert contract.harnesses
    assert len(contract.falsification_tests) >= len(contract.obligations)
    properties = {obligation.property for obligation in contract.obligations}
    assert {harness.obligation for harness in contract.harnesses} == properties


def test_ids_are_unique_and_of_one_form() -> None:
    tests = [test.id for c in CONTRACTS for test in c.falsification_tests]
    harnesses = [harness.id for c in CONTRACTS for harness in c.harnesses]
    assert len(set(tests)) == len(tests)
    assert len(set(harnesses)) == len(harnesses)
    assert all(re.fullmatch(r"FALSIFY-[A-Z0-9]+-\d{3}", test) for test in tests)
    assert all(re.fullmatch(r"KANI-[A-Z0-9]+-\d{3}", harness) for harness in harnesses)


def test_cited_tests_exist(contract: Contract) -> None:
    """Every falsification test names the parametrised test of its own obligation."""
    prefix = f"tests/contracts/{Path(__file__).name}::{test_bad_value_is_refuted.__name__}"
    by_rule = {c.obligation: f"{prefix}[{_id(c)}]" for c in _all_postconditions(contract)}
    assert {test.rule: test.test for test in contract.falsification_tests} == by_rule
    assert all(test.prediction and test.if_fails for test in contract.falsification_tests)


def test_cited_harnesses_exist(contract: Contract) -> None:
    """Every harness names the bounded test of its obligation's equation, and says what it runs.

    Measured values have no kernel whose inputs could be enumerated, so patterns claim less.
    """
    measured = contract.metadata.kind == "pattern"
    prefix = f"tests/contracts/{Path(__file__).name}::{test_bounded_inputs_hold.__name__}"
    equations = {c.obligation: _case_of(c) for c in _all_postconditions(contract)}
    for harness in contract.harnesses:
        case = equations[harness.obligation]
        assert harness.harness == f"{prefix}[{case.id}]"
        assert harness.bound == case.bound
        assert harness.property == f"{harness.obligation}: {case.grid}"
        assert harness.strategy == ("bounded_int" if measured else "exhaustive")


def test_kernel_structure_names_phases(contract: Contract) -> None:
    phases = contract.sections["kernel_structure"]["phases"]
    assert all(set(phase) == {"name", "description", "invariant"} for phase in phases)
    assert contract.sections["qa_gate"]["checks"] == [o.property for o in contract.obligations]


# -- formulas that are evaluated --------------------------------------------------------------


def _evaluable() -> Iterator[tuple[str, str]]:
    stems = ("roofline-model-v1", "kernel-launch-budget-v1", "kv-cache-sizing-v1")
    for stem in (*stems, "model-config-algebra-v1"):
        for name, equation in REGISTRY.contracts[stem].equations.items():
            try:
                parse_formula(equation.formula)
            except PredicateError:
                continue
            yield stem, name


@pytest.mark.parametrize(("stem", "equation"), list(_evaluable()))
def test_formula_yields_the_good_value(stem: str, equation: str) -> None:
    """What the profiler evaluates is what the postconditions of the same equation demand."""
    formula = parse_formula(REGISTRY.equation(stem, equation).formula)
    good = _CASES[f"{stem}-{equation}"].good
    given = {name: good[name] for name in formula.fields}
    assert formula.evaluate(**given) == pytest.approx(float(good[formula.name]), rel=1e-12)


def test_every_roofline_formula_is_evaluable() -> None:
    found = {name for stem, name in _evaluable() if stem == "roofline-model-v1"}
    assert found == set(REGISTRY.contracts["roofline-model-v1"].equations)


def _postconditions(contract: Contract, equation: str) -> tuple[Condition, ...]:
    return REGISTRY.postconditions(contract.stem, equation) or ()


def _all_postconditions(contract: Contract) -> list[Condition]:
    return [c for name in contract.equations for c in _postconditions(contract, name)]
