"""Run a kernel under its contract, and say which obligations it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mutants import Mutant

from tracepact.contracts import ContractRegistry
from tracepact.enforce import contract
from tracepact.exporters import MemoryExporter
from tracepact.kernels import reference
from tracepact.tracing import ContractTracingLayer

REGISTRY = ContractRegistry.builtin()


def broken_obligations(mutant: Mutant, function: Callable[..., Any]) -> list[str]:
    """Obligations that a call of `function` with a mutant's arguments breaks.

    What the equation compares with comes from the kernel of `tracepact.kernels`.
    """
    kernel = reference(mutant.contract, mutant.equation)
    assert kernel is not None
    arguments = mutant.inputs()
    conditions = REGISTRY.postconditions(mutant.contract, mutant.equation) or ()
    if any("reference" in condition.predicate.fields for condition in conditions):
        arguments["reference"] = kernel(**mutant.inputs())
    memory = MemoryExporter()
    layer = ContractTracingLayer(REGISTRY, exporters=[memory])
    checked = contract(mutant.contract, mutant.equation, layer=layer)(function)
    checked(**arguments)
    assert layer.faults == {}
    return [violation.obligation for violation in memory.violations]


def falsification_id(mutant: Mutant, obligation: str) -> str:
    """The falsification test of an obligation."""
    tests = REGISTRY.contracts[mutant.contract].falsification_tests
    return next(test.id for test in tests if test.rule == obligation)
