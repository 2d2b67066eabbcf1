"""Predicates: what ought to hold, as a small expression tree that never executes code."""

from tracepact.predicate.errors import PredicateError
from tracepact.predicate.explain import Failure, explain, first_failures
from tracepact.predicate.plan import MeasureError, Plan, PlanResult, compile_plan
from tracepact.predicate.predicate import Formula, Predicate, parse_formula, parse_predicate

__all__ = [
    "Failure",
    "Formula",
    "MeasureError",
    "Plan",
    "PlanResult",
    "Predicate",
    "PredicateError",
    "compile_plan",
    "explain",
    "first_failures",
    "parse_formula",
    "parse_predicate",
]
