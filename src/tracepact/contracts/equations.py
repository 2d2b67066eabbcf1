"""Reading the equations of a contract and their predicates."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields

from tracepact.contracts.clauses import read_clauses
from tracepact.contracts.fields import Fields, Record, as_text, records, wrong_type
from tracepact.contracts.model import Equation, Terms
from tracepact.contracts.problem_log import ProblemLog, quoted
from tracepact.contracts.terms import read_terms
from tracepact.contracts.yaml_nodes import MapNode, Node, ScalarNode

_EQUATION_FIELDS = frozenset(field.name for field in dataclass_fields(Equation))


def read_equations(node: Node, log: ProblemLog) -> dict[str, Equation]:
    """Equations by name; of two with the same name the first counts."""
    found: dict[str, Equation] = {}
    for record in records(node, "equations", _EQUATION_FIELDS):
        equation = _equation(record, log)
        if equation is None:
            continue
        if equation.name in found:
            message = f"{record.where}: a second equation {quoted(equation.name)}"
            log.add(record.node, message, "the first counts; rename this one")
        else:
            found[equation.name] = equation
    return found


def _equation(record: Record, log: ProblemLog) -> Equation | None:
    node, where = record.node, record.where
    location = log.locate(node)
    if isinstance(node, ScalarNode) and record.name:
        formula = as_text(node, where, log) or ""
        return Equation(name=record.name, formula=formula, location=location)
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map with a formula", log)
        return None
    fields = Fields(node, where, log)
    name = record.name or fields.text("name", "id")
    if not name:
        log.add(node, f"{where}: an equation without a name", "write it as `name: {formula: ...}`")
        return None
    equation = Equation(
        name=name,
        description=fields.text("description"),
        formula=fields.text("formula"),
        domain=fields.text("domain"),
        codomain=fields.text("codomain"),
        invariants=fields.texts("invariants"),
        preconditions=read_clauses(fields, "preconditions"),
        postconditions=read_clauses(fields, "postconditions"),
        tolerance=fields.tolerance("tolerance"),
        lean_theorem=fields.text("lean_theorem"),
        assumes=_terms(fields, "assumes"),
        guarantees=_terms(fields, "guarantees"),
        location=location,
    )
    fields.finish()
    return equation


def _terms(fields: Fields, name: str) -> Terms | None:
    node = fields.take(name)
    return None if node is None else read_terms(node, fields.path(name), fields.log)
