"""What there is to test: bound functions, with the obligations that are about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import Contract, ContractRegistry, Equation
from tracepact.contracts.model import FalsificationTest, Harness, Obligation
from tracepact.testing.relations import Derived, definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One function and one equation that it is held to.

    Attributes:
        binding: The entry that names the function.
        bindings: The file of the entry.
        registry: Where the contract is.
        contract: The contract.
        called: The equation that the function implements.
        equation: The one that is tested: the same, or one that is stated about it, as
            `shift_invariance` is about `softmax`.
        calls: Results that the tested equation defines by calls.
    """

    binding: Binding
    bindings: Bindings
    registry: ContractRegistry
    contract: Contract
    called: Equation
    equation: Equation
    calls: tuple[Derived, ...] = ()

    @property
    def obligations(self) -> list[Obligation]:
        """Those that are about the tested equation."""
        return [o for o in self.contract.obligations if o.covers(self.equation.name)]

    @property
    def tests(self) -> list[FalsificationTest]:
        """Those whose rule is one of these obligations."""
        properties = {o.property for o in self.obligations}
        return [t for t in self.contract.falsification_tests if t.rule in properties]

    @property
    def harnesses(self) -> list[Harness]:
        """Those whose obligation is one of these."""
        keys = {key for o in self.obligations for key in (o.property, o.id) if key}
        return [h for h in self.contract.harnesses if h.obligation in keys]


def subjects(bindings: Bindings, registry: ContractRegistry) -> Iterator[Subject]:
    """Every bound function with each equation that is about it, in order of the file.

    An entry whose contract or equation is unknown gives nothing; its interface test says so.
    """
    every = {entry.equation for entry in bindings.entries}
    for entry in bindings.entries:
        contract = registry.contracts.get(entry.contract)
        called = None if contract is None else contract.equations.get(entry.equation)
        if contract is None or called is None or entry.status not in ("implemented", "partial"):
            continue
        bound = {e.equation for e in bindings.entries if e.contract == entry.contract}
        for equation in contract.equations.values():
            calls = tuple(definitions(f"{equation.formula}; {equation.domain}"))
            is_about = equation.name not in bound and any(c.callee == called.name for c in calls)
            if equation is called:
                calls = tuple(c for c in calls if c.callee in every and c.callee != called.name)
            if equation is called or is_about:
                yield Subject(
                    binding=entry,
                    bindings=bindings,
                    registry=registry,
                    contract=contract,
                    called=called,
                    equation=equation,
                    calls=calls,
                )
