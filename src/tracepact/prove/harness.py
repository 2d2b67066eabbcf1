"""Harnesses, really run: which strategy is which way of proving, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from tracepact.contracts import Contract, ContractRegistry, Equation, Harness, Obligation
from tracepact.enforce.enforced import enforced
from tracepact.errors import MissingExtraError, TracepactError
from tracepact.prove.claims import free_names, functions_of, known_names, make_claim
from tracepact.prove.domain import Input, read_inputs, words
from tracepact.prove.enumerate import ALL_PATTERNS, enumerate_cases, enumerate_patterns
from tracepact.prove.formula import Definition, parse_definitions
from tracepact.prove.proof import MAX_BOUND, Deadline, Proof, Undecidable
from tracepact.prove.subject import Claim, FormulaSubject, FunctionSubject, Judge

STRATEGIES: Final = ("exhaustive", "bounded_int", "stub_float")
_SOLVER_SHARE: Final = 0.5
"""Of the time limit; what is left is for enumeration."""


def run_harness(
    registry: ContractRegistry,
    contract: Contract,
    harness: Harness,
    *,
    function: Callable[..., Any] | None = None,
    equation: str | None = None,
    limit_s: float = 10.0,
) -> Proof:
    """Run one bounded harness.

    Args:
        registry: Where the contract comes from.
        contract: The contract.
        harness: One of its harnesses.
        function: What computes the equation; its formula by default.
        equation: Name of the one that is meant, where the obligation applies to several; by
            default the one that the function is decorated with, or all.
        limit_s: Seconds after which it is undecided.

    Nothing is taken on trust: what cannot be run is undecided, and says why. A claim that no input
    is subject to, or that any result satisfies, is undecided too.
    """
    deadline = Deadline(limit_s)
    try:
        _check(harness)
        obligation = _obligation(contract, harness)
        proofs = [
            _about(registry, contract, each, obligation, harness, function, deadline)
            for each in _equations(contract, obligation, function, equation)
        ]
    except Undecidable as error:
        return Proof("undecided", "", str(error))
    except (TracepactError, RecursionError, MemoryError) as error:
        return Proof("undecided", "", f"it could not be run: {error or type(error).__name__}")
    for outcome in ("refuted", "undecided"):
        for proof in proofs:
            if proof.outcome == outcome:
                return proof
    return proofs[0]


def _check(harness: Harness) -> None:
    if harness.strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise Undecidable(f"the strategy {harness.strategy!r} cannot be run; known: {known}")
    if harness.bound is None or harness.bound < 1:
        raise Undecidable(f"a bound of {harness.bound} leaves no input")
    patterns = harness.strategy == "exhaustive" and harness.bound == ALL_PATTERNS
    if harness.bound > MAX_BOUND and not patterns:
        raise Undecidable(f"a bound of {harness.bound} is too large; at most {MAX_BOUND}")


def _obligation(contract: Contract, harness: Harness) -> Obligation:
    for obligation in contract.obligations:
        if harness.obligation and harness.obligation in (obligation.property, obligation.id):
            return obligation
    raise Undecidable(f"the contract has no obligation {harness.obligation!r}")


def _equations(
    contract: Contract,
    obligation: Obligation,
    function: Callable[..., Any] | None,
    equation: str | None,
) -> list[Equation]:
    decorated = [each.equation for each in enforced(function) if each.contract == contract.stem]
    meant = {equation} if equation is not None else {*decorated} or {*contract.equations}
    found = [
        each
        for each in contract.equations.values()
        if each.name in meant and obligation.covers(each.name)
    ]
    if not found:
        which = "no equation" if equation is None else f"the equation {equation!r} not"
        raise Undecidable(f"the obligation applies to {which}")
    return found


def _about(
    registry: ContractRegistry,
    contract: Contract,
    equation: Equation,
    obligation: Obligation,
    harness: Harness,
    function: Callable[..., Any] | None,
    deadline: Deadline,
) -> Proof:
    claim = make_claim(registry, contract, equation, obligation)
    definitions: tuple[Definition, ...] = ()
    functions: dict[str, Definition] = {}
    subject: FormulaSubject | FunctionSubject
    wholes: set[str] = set()
    if function is not None:
        subject = FunctionSubject(function, claim, words(equation.domain))
        names, wholes = subject.inputs, subject.wholes
    else:
        known = known_names(registry, contract, equation, claim.fields)
        definitions = parse_definitions(equation.formula, known)
        functions = functions_of(registry, contract)
        subject = FormulaSubject(definitions, functions)
        names = free_names(definitions).union(claim.fields)
        names = names.union(*(c.predicate.fields for c in claim.assumed)) - subject.results
    if not claim.fields & subject.results:
        results = ", ".join(sorted(subject.results))
        raise Undecidable(f"the obligation says nothing about what is computed ({results})")
    inputs = [
        replace(one, is_whole=one.is_whole or one.name in wholes)
        for one in _inputs(claim, equation, names, definitions)
    ]
    run = _Run(Judge(subject, claim), inputs, definitions, functions, harness, deadline)
    if function is not None or harness.strategy == "exhaustive":
        return run.enumerated(np.float64 if function is None else np.float32)
    return run.proved()


def _inputs(
    claim: Claim, equation: Equation, names: frozenset[str], definitions: Sequence[Definition]
) -> tuple[Input, ...]:
    trees: list[Any] = [node for node, _, _ in claim.predicates]
    trees += [c.predicate.node for c in claim.assumed]
    trees += [d.body for d in definitions]
    return read_inputs(names, equation.domain, trees)


@dataclass(frozen=True)
class _Run:
    """One claim about one subject, and the ways to decide it."""

    judge: Judge
    inputs: Sequence[Input]
    definitions: Sequence[Definition]
    functions: Mapping[str, Definition]
    harness: Harness
    deadline: Deadline

    @property
    def bound(self) -> int:
        return self.harness.bound or 0

    def proved(self) -> Proof:
        """By z3, with corner cases of floats where they are asked for.

        Where z3 cannot decide what is asked of whole numbers, they are enumerated.
        """
        solved = self.solved()
        if solved.outcome == "refuted":
            return solved
        if self.harness.strategy == "bounded_int":
            if solved.outcome == "proved":
                return self.meant(solved)
            found = self.enumerated(np.float64)
            return _joined(found, found.method, (found, solved))
        found = self.enumerated(np.float64)
        if found.outcome == "proved" and solved.outcome != "proved":
            return solved
        method = f"{solved.method} and {found.method}" if found.outcome == "proved" else ""
        return _joined(found, method or found.method, (solved, found))

    def solved(self) -> Proof:
        """What z3 says."""
        if find_spec("z3") is None:
            raise MissingExtraError(f"the strategy {self.harness.strategy}", "prove")
        from tracepact.prove.solve import solve  # noqa: PLC0415 - z3 is optional

        claim, share = self.judge.claim, Deadline(self.deadline.left_s * _SOLVER_SHARE)
        try:
            answer = solve(claim, self.definitions, self.functions, self.inputs, self.bound, share)
            if answer.candidate is None:
                return Proof("proved", "z3 over reals", answer.detail)
            if self.judge.violation(answer.candidate):
                shown = self.judge.counterexample(answer.candidate)
                return Proof("refuted", "z3 over reals", "z3 found a counterexample", shown)
        except Undecidable as error:
            return Proof("undecided", "", str(error))
        return Proof("undecided", "", "z3 found no proof, and what it found instead does hold")

    def enumerated(self, dtype: type[np.floating[Any]]) -> Proof:
        """What every case up to the bound says."""
        judge, strategy = self.judge, self.harness.strategy
        try:
            if self.bound == ALL_PATTERNS:
                found = enumerate_patterns(judge, self.inputs, self.deadline)
            else:
                found = enumerate_cases(
                    judge, self.inputs, self.bound, self.deadline, dtype=dtype, strategy=strategy
                )
        except Undecidable as error:
            return Proof("undecided", "", str(error))
        method = f"enumeration of {judge.subject.name}"
        if found.failing is not None:
            detail = f"{judge.admitted} evaluations until it failed"
            return Proof("refuted", method, detail, judge.counterexample(found.failing))
        return Proof("proved", method, found.detail) if judge.is_telling else _empty(judge)

    def meant(self, proof: Proof) -> Proof:
        """A proof, unless it is about no input, or about any result."""
        from tracepact.prove.solve import admitted_inputs  # noqa: PLC0415 - z3 is optional

        for case in admitted_inputs(
            self.judge.claim,
            self.definitions,
            self.functions,
            self.inputs,
            self.bound,
            self.deadline,
        ):
            self.judge.violation(case)
            if self.judge.is_telling:
                return proof
        return _empty(self.judge)


def _joined(proof: Proof, method: str, parts: Sequence[Proof]) -> Proof:
    details = "; ".join(dict.fromkeys(part.detail for part in parts))
    return Proof(proof.outcome, method, details, proof.counterexample)


def _empty(judge: Judge) -> Proof:
    """What to say of a claim that is about no input, or about any result."""
    if judge.admitted:
        return Proof("undecided", "", "the obligation holds whatever the result is")
    return Proof("undecided", "", "no input satisfies the preconditions")
