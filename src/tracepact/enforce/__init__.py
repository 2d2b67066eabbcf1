"""Contracts on functions and classes: checked whenever they are called."""

from tracepact.enforce.conditions import ensures, requires
from tracepact.enforce.decorator import contract
from tracepact.enforce.enforced import Enforced, enforced, unchecked
from tracepact.enforce.invariants import invariant

__all__ = ["Enforced", "contract", "enforced", "ensures", "invariant", "requires", "unchecked"]
