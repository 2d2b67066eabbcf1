"""Reading the equations of a contract and their predicates."""

from __future__ import annotations

import re
from dataclasses import fields as dataclass_fields

from tracepact.contracts.fields import Fields, Record, as_text, records, wrong_type
from tracepact.contracts.model import Clause, Equation
from tracepact.contracts.problem_log import ProblemLog, quoted
from tracepact.contracts.yaml_nodes import MapNode, Node, ScalarNode
from tracepact.types import SourceLocation

_EQUATION_FIELDS = frozenset(field.name for field in dataclass_fields(Equation))
_CLAUSE_TEXT = ("predicate", "assertion", "expression", "formal", "check")
_CLAUSE_NOTES = ("id", "description")
_CLAUSE_FIELDS = frozenset(_CLAUSE_TEXT + _CLAUSE_NOTES)
_LABEL = re.compile(r"[A-Za-z_][\w-]*\Z")


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
        preconditions=_clauses(fields, "preconditions"),
        postconditions=_clauses(fields, "postconditions"),
        tolerance=fields.tolerance("tolerance"),
        lean_theorem=fields.text("lean_theorem"),
        location=location,
    )
    fields.finish()
    return equation


def _clauses(fields: Fields, name: str) -> tuple[Clause, ...]:
    node = fields.take(name)
    if node is None:
        return ()
    read = (
        _clause(record, fields.log) for record in records(node, fields.path(name), _CLAUSE_FIELDS)
    )
    return tuple(clause for clause in read if clause is not None and clause.text)


def _clause(record: Record, log: ProblemLog) -> Clause | None:
    node = record.node
    if isinstance(node, MapNode):
        fields = Fields(node, record.where, log)
        node = fields.take(*_CLAUSE_TEXT) or node
        fields.take(*_CLAUSE_NOTES)
        fields.finish()
    if not isinstance(node, ScalarNode):
        wrong_type(node, record.where, "a predicate", log)
        return None
    text = "" if node.is_null else node.text
    if record.name and not _LABEL.match(record.name):
        # An unquoted colon split a sentence; a single word before a colon is a label.
        return Clause(f"{record.name}: {text}".strip(), log.locate(node), verbatim=False)
    skipped = node.text_offset + len(text) - len(text.lstrip())
    location = SourceLocation(log.file, node.line, node.column + skipped)
    return Clause(text.strip(), location, node.verbatim)
