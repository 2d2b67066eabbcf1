"""Bounded harnesses of contracts, run: by enumeration, and by z3 over an equation's formula."""

from tracepact.prove.harness import run_harness
from tracepact.prove.proof import Proof

__all__ = ["Proof", "run_harness"]
