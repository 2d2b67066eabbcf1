"""Reading predicates, with the place where each text itself begins."""

from __future__ import annotations

import re

from tracepact.contracts.fields import Fields, Record, records, wrong_type
from tracepact.contracts.model import Clause
from tracepact.contracts.problem_log import ProblemLog
from tracepact.contracts.yaml_nodes import MapNode, ScalarNode
from tracepact.types import SourceLocation

_CLAUSE_TEXT = ("predicate", "assertion", "expression", "formal", "check")
_CLAUSE_NOTES = ("id", "description")
_CLAUSE_FIELDS = frozenset(_CLAUSE_TEXT + _CLAUSE_NOTES)
_LABEL = re.compile(r"[A-Za-z_][\w-]*\Z")


def read_clauses(fields: Fields, name: str) -> tuple[Clause, ...]:
    """The predicates of a field; empty ones are left out."""
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
