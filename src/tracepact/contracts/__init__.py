"""Contracts: YAML files that say what ought to hold, loaded leniently and looked up by stem."""

from tracepact.contracts.conditions import Condition, Postcondition
from tracepact.contracts.load import load_contract, parse_contract
from tracepact.contracts.model import (
    Clause,
    Contract,
    Equation,
    FalsificationTest,
    Harness,
    Metadata,
    Obligation,
    Problem,
    Shape,
    Terms,
)
from tracepact.contracts.registry import ContractRegistry

__all__ = [
    "Clause",
    "Condition",
    "Contract",
    "ContractRegistry",
    "Equation",
    "FalsificationTest",
    "Harness",
    "Metadata",
    "Obligation",
    "Postcondition",
    "Problem",
    "Shape",
    "Terms",
    "load_contract",
    "parse_contract",
]
