"""From an obligation to a claim: what is called, which predicate is tested, which inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tracepact.bindings import Binding
from tracepact.contracts import Condition, Equation
from tracepact.contracts.model import Obligation
from tracepact.enforce.enforced import enforced, unchecked
from tracepact.enforce.names import RESULT, fields_of, plain
from tracepact.enforce.verify import import_bound
from tracepact.errors import ConfigError
from tracepact.exporters import MemoryExporter
from tracepact.predicate import Predicate, PredicateError, parse_predicate
from tracepact.predicate.ast import Name, walk
from tracepact.testing import shipped  # noqa: F401 - registers its strategies
from tracepact.testing.claim import Claim, Step, expression
from tracepact.testing.domain import read_domain
from tracepact.testing.hooks import completion
from tracepact.testing.inputs import CannotTestError, read_inputs
from tracepact.testing.reference import find_reference
from tracepact.testing.relations import Derived, Relation, relation_for
from tracepact.testing.subjects import Subject
from tracepact.tracing import ContractTracingLayer, Policy

DEFAULT_TOLERANCE: Final = 1e-6
"""Of claims that a type makes, where the contract states no tolerance."""


def make_claim(subject: Subject, obligation: Obligation, dtypes: Sequence[str]) -> Claim:
    """What an obligation claims about the function of a subject.

    Args:
        subject: The function and the equation.
        obligation: One of its obligations.
        dtypes: Of floating inputs.

    Raises:
        CannotTestError: There is no claim to evaluate, or no way to make inputs or results; says
            what would help.
    """
    function = _imported(subject.binding, subject)
    binds = _binds(subject)
    signature = inspect.signature(unchecked(function))
    results = [name for name, at in binds.items() if at == RESULT]
    at = {parameter: name for name, parameter in binds.items() if parameter != RESULT}
    taken = {at.get(name, name): parameter for name, parameter in signature.parameters.items()}
    # What is None by default is evidence: nobody but a strategy or another call knows it.
    evidence = {name for name, parameter in taken.items() if parameter.default is None}
    complete = completion(subject.contract.stem, subject.called.name, subject.binding.function)
    unread = _not_understood(subject)
    if unread and complete is None:
        raise CannotTestError(
            f"no dialect understands the precondition {unread[0]!r}, so that nobody can tell which "
            "inputs meet it; write it as a predicate, or give a strategy"
        )
    counts = read_domain(subject.contract, (), _stated(subject), ()).counts
    evidence -= set(counts)
    inputs = set(taken) - evidence
    if complete is not None:
        inputs |= evidence - ({"reference"} if find_reference(subject) else set())
    known = {*inputs, RESULT, *results} - {each.name for each in subject.calls}
    predicate, unknown, reason = _formal(obligation, known)
    unknown -= {each.name for each in subject.calls}
    relation = None
    if predicate is None or unknown:
        words = f"{obligation.property} {obligation.formal}"
        relation = relation_for(obligation.type, words, unknown)
        open_ = unknown if relation is None else unknown - _made(relation)
        if relation is None and predicate is not None and complete is not None:
            unknown = frozenset()  # a strategy may give them
        elif relation is None or len(open_) > (len(relation.derived) == 1):
            raise CannotTestError(_nothing_to_claim(obligation, unknown, reason))
    first = [name for name in taken if name != "self" and name not in evidence]
    letters = dict(zip("xy", (*first, "", ""), strict=False))
    derived = [] if relation is None else list(relation.derived)
    if len(unknown) == len(derived) == 1:
        derived = [replace(derived[0], name=next(iter(unknown)))]
    derived = [*subject.calls, *derived]
    if RESULT not in {each.name for each in derived}:
        derived.insert(0, Derived(RESULT))
    steps = [_step(each, subject, binds, letters) for each in derived]
    condition = _condition(subject, obligation, predicate, relation, letters)
    twins = {} if relation is None else dict.fromkeys(relation.twins, letters["x"])
    extra, exact = _extra(steps, {*taken, *twins})
    early, late = _preconditions(subject, inputs - {each.name for each in derived})
    made = read_inputs(
        subject.contract,
        _equations(subject),
        early,
        {name: each for name, each in taken.items() if name in inputs},
        claims=[*late, condition],
        made=frozenset(each.name for each in derived),
        extra=extra,
        twins=twins,
        exact=exact,
        dtypes=dtypes,
        complete=complete,
    )
    layer = ContractTracingLayer(subject.registry, [MemoryExporter()], Policy())
    owner = subject.contract.stem, subject.equation.name
    before, after = (layer.site_over(*owner, each) for each in (early, [*late, condition]))
    before.optional = after.optional = frozenset(evidence - fields_of(condition))
    return Claim(
        subject=subject,
        obligation=obligation,
        condition=condition,
        is_formal=predicate is not None,
        inputs=made,
        steps=steps,
        results=results,
        before=before,
        after=after,
        can_fail=any(name.startswith("old(") for name in condition.predicate.fields),
    )


def _formal(
    obligation: Obligation, known: set[str]
) -> tuple[Predicate | None, frozenset[str], str]:
    """The formal as a predicate, the names in it that nobody knows, or why it is none."""
    try:
        predicate = parse_predicate(obligation.formal, origin=obligation.location)
    except PredicateError as error:
        return None, frozenset(), error.reason
    return predicate, frozenset(map(plain, predicate.fields)) - known, ""


def _made(relation: Relation) -> frozenset[str]:
    return frozenset(each.name for each in relation.derived)


def _condition(
    subject: Subject,
    obligation: Obligation,
    predicate: Predicate | None,
    relation: Relation | None,
    letters: Mapping[str, str],
) -> Condition:
    text, tolerance = obligation.formal, subject.equation.tolerance
    tolerance = obligation.tolerance if tolerance is None else tolerance
    if predicate is None:
        assert relation is not None  # else there is nothing to claim
        text = relation.claim.format(**letters)
        predicate = parse_predicate(text)
        tolerance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    if tolerance is None and predicate.uses_tolerance:
        raise CannotTestError("its formal uses tol, and there is no tolerance; write one")
    return Condition(
        kind="postcondition",
        predicate=predicate,
        expression=text,
        obligation=obligation.property,
        tolerance=tolerance,
        contract=subject.contract.stem,
        equation=subject.equation.name,
        location=obligation.location,
    )


def _equations(subject: Subject) -> list[Equation]:
    """The tested equation, and those of its contract that it calls."""
    names = [subject.equation.name, subject.called.name, *(c.callee for c in subject.calls)]
    known = subject.contract.equations
    return [known[name] for name in dict.fromkeys(names) if name in known]


def _stated(subject: Subject) -> list[Condition]:
    """Preconditions of these equations."""
    stem, found = subject.contract.stem, subject.registry.preconditions
    return [each for e in _equations(subject) for each in found(stem, e.name) or ()]


def _not_understood(subject: Subject) -> list[str]:
    understood = {each.location for each in _stated(subject)}
    clauses = (clause for e in _equations(subject) for clause in e.preconditions)
    return [clause.text for clause in clauses if clause.location not in understood]


def _preconditions(subject: Subject, inputs: set[str]) -> tuple[list[Condition], list[Condition]]:
    """What holds of inputs, and what can only be tested with the results."""
    early: list[Condition] = []
    late: list[Condition] = []
    for each in _stated(subject):
        (early if fields_of(each) <= inputs else late).append(each)
    return early, late


# -- calls --------------------------------------------------------------------------------------


def _step(
    each: Derived, subject: Subject, binds: Mapping[str, str], letters: Mapping[str, str]
) -> Step:
    names = {name: at for name, at in binds.items() if at != RESULT}
    if each.callee == "same" or each.callee == subject.called.name:
        imported, target = subject.binding.qualname, _imported(subject.binding, subject)
    elif each.callee == "reference":
        found = find_reference(subject)
        if found is None:
            raise CannotTestError(
                "there is no reference: no other function of this equation is bound, and no "
                "reference kernel ships for it"
            )
        (imported, target), names = found, {}
    else:
        entry = _inverse(subject) if each.callee == "inverse" else _bound_to(subject, each.callee)
        imported, target, names = entry.qualname, _imported(entry, subject), {}
    target = unchecked(target)
    fields = {parameter: name for name, parameter in names.items()}
    taken = [
        fields.get(name, name)
        for name, p in inspect.signature(target).parameters.items()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and name != "self"
    ]
    if "{y}" in each.arguments and not letters["y"]:
        raise CannotTestError("the function takes only one input; there is nothing to swap")
    texts = [text.format(**letters) for text in each.arguments]
    arguments = dict(zip(taken, texts, strict=False))
    return Step(each.name, target, imported, names, arguments, each.is_mirrored)


def _imported(entry: Binding, subject: Subject) -> Callable[..., Any]:
    try:
        found = import_bound(entry, subject.bindings.target)
    except ConfigError as error:
        raise CannotTestError(str(error)) from None
    if found is None:
        raise CannotTestError(f"{entry.qualname} is not there")
    function: Callable[..., Any] = found
    return function


def _binds(subject: Subject) -> Mapping[str, str]:
    """What the decorator of the function binds."""
    entry = subject.binding
    for one in enforced(_imported(entry, subject)):
        if (one.contract, one.equation) == (entry.contract, entry.equation):
            return one.bind
    return {}


def _inverse(subject: Subject) -> Binding:
    own = subject.binding
    others = [
        entry
        for entry in subject.bindings.entries
        if entry.contract == own.contract and entry.equation != own.equation
    ]
    if len(others) != 1:
        raise CannotTestError(
            "a roundtrip needs the inverse: bind exactly one function to another equation of "
            f"{own.contract} (found {', '.join(e.qualname for e in others) or 'none'}), or give "
            "a formal"
        )
    return others[0]


def _bound_to(subject: Subject, equation: str) -> Binding:
    entries = [entry for entry in subject.bindings.entries if entry.equation == equation]
    if not entries:
        raise CannotTestError(
            f"no function is bound to {equation!r}, which formula or domain calls"
        )
    own = subject.binding
    return min(entries, key=lambda e: (e.contract != own.contract, e.qualname != own.qualname))


def _extra(steps: Sequence[Step], known: set[str]) -> tuple[list[str], frozenset[str]]:
    """Numbers that only expressions name, and inputs whose sums have to be exact."""
    made = {step.name for step in steps}
    extra: dict[str, None] = {}
    exact: set[str] = set()
    for text in (text for step in steps for text in step.arguments.values()):
        names = [part.id for part in walk(expression(text)) if isinstance(part, Name)]
        new = [name for name in names if name not in known and name not in made]
        extra |= dict.fromkeys(new)
        if new:
            exact |= set(names) & known
    return list(extra), frozenset(exact)


def _nothing_to_claim(obligation: Obligation, unknown: frozenset[str], reason: str) -> str:
    if unknown:
        return (
            f"its formal looks at {', '.join(sorted(unknown))}, which no call of the function "
            "gives; define it in formula or domain by a call, as in 'shifted = softmax(x + c)', or "
            "give it with a strategy"
        )
    if not obligation.formal:
        return f"it has no formal, and its type {obligation.type} says nothing that can be tested"
    return f"no dialect understands its formal ({reason}); write it as a predicate"
