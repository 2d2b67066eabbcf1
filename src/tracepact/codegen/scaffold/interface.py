"""The interface of a contract: a method an equation, with the fields as parameters."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tracepact.codegen.quoting import Names, identifier
from tracepact.codegen.scaffold.fields import (
    RESULT,
    is_power,
    measured_arrays,
    ordered_fields,
    result_field,
    shape_of,
)
from tracepact.contracts import Condition, Contract, ContractRegistry, Equation, Problem
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError

ARRAY, VALUE, ANY = "Array", "Value", "Any"
"""Types in generated code: an array; a number or an array; whatever it is."""

_RESERVED = (
    *(ARRAY, VALUE, ANY, "Protocol", "TypeAlias", "TYPE_CHECKING", "NotImplementedError"),
    *("tp", "npt"),
)
"""Names that the generated code itself uses."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field as a parameter.

    Attributes:
        field: Its name in the predicates.
        name: Its name in Python; another one only where Python has no parameter of that name.
        type: `ARRAY` or `VALUE`.
        shape: As domain or codomain write it, or empty.
    """

    field: str
    name: str
    type: str
    shape: str


@dataclass(frozen=True, slots=True)
class Method:
    """One equation as a method.

    Attributes:
        equation: What it computes.
        conditions: What holds before and after.
        name: Name of the method.
        parameters: In order of appearance. Empty where the contract names none: then any
            signature fits, as the contract says nothing about it.
        result: Field that is the result, if the conditions look at one.
        result_type: `ARRAY`, `VALUE` or `ANY`.
    """

    equation: Equation
    conditions: tuple[Condition, ...]
    name: str
    parameters: tuple[Parameter, ...]
    result: str | None
    result_type: str

    @property
    def not_understood(self) -> list[str]:
        """Clauses that no dialect understands, so that nothing checks them."""
        understood = {condition.location for condition in self.conditions}
        clauses = (*self.equation.preconditions, *self.equation.postconditions)
        return [clause.text for clause in clauses if clause.location not in understood]

    @property
    def bind(self) -> Mapping[str, str]:
        """What the decorator has to know: fields that have another name in Python."""
        found = {p.field: p.name for p in self.parameters if p.field != p.name}
        if self.result not in (None, RESULT):
            found[str(self.result)] = RESULT
        return found

    @property
    def types(self) -> frozenset[str]:
        """Types that the signature mentions."""
        own = {p.type for p in self.parameters} or {ANY}
        return frozenset(own | {self.result_type})


@dataclass(frozen=True, slots=True)
class Interface:
    """What is generated from one contract.

    Attributes:
        contract: The contract.
        name: Name of the protocol.
        module: Name of the module with the implementation.
        methods: One an equation, in order of the file.
        problems: Clauses that no dialect understands; fields that only they name are missing.
    """

    contract: Contract
    name: str
    module: str
    methods: tuple[Method, ...]
    problems: tuple[Problem, ...]

    @property
    def protocol_module(self) -> str:
        """Name of the module with the protocol."""
        return f"{self.module}_protocol"

    @property
    def implementation(self) -> str:
        """Name of the class that the skeleton begins."""
        return f"{self.name}Implementation"

    @property
    def types(self) -> frozenset[str]:
        """Types that the signatures mention."""
        return frozenset[str]().union(*(method.types for method in self.methods))


def derive_interface(registry: ContractRegistry, stem: str) -> Interface:
    """The interface of a contract.

    Raises:
        ConfigError: There is no such contract, or it has no equation.
    """
    contract = registry.contracts.get(stem)
    if contract is None:
        raise ConfigError(f"unknown contract {stem!r}; {did_you_mean(stem, registry.contracts)}")
    if not contract.equations:
        raise ConfigError(f"contract {stem!r} has no equation; there is nothing to implement")
    words = identifier(stem)
    capitals = "".join(word[:1].upper() + word[1:] for word in words.split("_"))
    names = Names(_RESERVED)
    return Interface(
        contract=contract,
        name=Names(_RESERVED).of(stem, identifier(capitals)),
        # A file that shadows a standard module would break whoever has the folder on its path.
        module=Names([*sys.stdlib_module_names, "numpy", "tracepact"]).of(stem, words.lower()),
        methods=tuple(_method(registry, stem, e, names) for e in contract.equations.values()),
        problems=tuple(p for e in contract.equations for p in registry.unusable(stem, e)),
    )


def _method(registry: ContractRegistry, stem: str, equation: Equation, names: Names) -> Method:
    before = registry.preconditions(stem, equation.name) or ()
    conditions = (*before, *(registry.postconditions(stem, equation.name) or ()))
    result = result_field(equation, conditions)
    arrays = measured_arrays(conditions)
    parameters = Names(["self"])

    def parameter(field: str) -> Parameter:
        # In a class, Python gives a parameter with two leading underscores another name.
        wanted = f"{identifier(field)}_" if field.startswith("__") else field
        shape = shape_of(field, equation)
        kind = ARRAY if shape or field in arrays else VALUE
        return Parameter(field, parameters.of(field, wanted), kind, shape)

    return Method(
        equation=equation,
        conditions=conditions,
        name=names.of(equation.name, identifier(equation.name)),
        parameters=tuple(parameter(f) for f in ordered_fields(conditions) if f != result),
        result=result,
        result_type=_result_type(equation, result, arrays),
    )


def _result_type(equation: Equation, result: str | None, arrays: frozenset[str]) -> str:
    if result is None:
        return ANY
    if result in arrays or shape_of(result, equation) or is_power(equation.codomain):
        return ARRAY
    return VALUE
