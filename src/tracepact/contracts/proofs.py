"""Reading what is to be shown (obligations), refuted (tests) or checked in bounds (harnesses)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any

from tracepact.contracts.fields import Fields, Record, as_data, as_text, records, wrong_type
from tracepact.contracts.model import OBLIGATION_TYPES, FalsificationTest, Harness, Obligation
from tracepact.contracts.problem_log import ProblemLog, did_you_mean, nearest, quoted
from tracepact.contracts.yaml_nodes import MapNode, Node, ScalarNode


def _names(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in dataclass_fields(kind)) | {"description"}


_OBLIGATION_FIELDS = _names(Obligation)
_TEST_FIELDS = _names(FalsificationTest)
_HARNESS_FIELDS = _names(Harness)


def read_obligations(node: Node, section: str, log: ProblemLog) -> list[Obligation]:
    """Obligations; a mere text is an invariant with that property."""
    read = (_obligation(record, log) for record in records(node, section, _OBLIGATION_FIELDS))
    return [obligation for obligation in read if obligation is not None]


def read_tests(node: Node, section: str, log: ProblemLog) -> list[FalsificationTest]:
    """Falsification tests; a mere text is a prediction."""
    read = (_test(record, log) for record in records(node, section, _TEST_FIELDS))
    return [test for test in read if test is not None]


def read_harnesses(node: Node, section: str, log: ProblemLog) -> list[Harness]:
    """Harnesses of bounded checks."""
    read = (_harness(record, log) for record in records(node, section, _HARNESS_FIELDS))
    return [harness for harness in read if harness is not None]


def _obligation(record: Record, log: ProblemLog) -> Obligation | None:
    node, where = record.node, record.where
    location = log.locate(node)
    if isinstance(node, ScalarNode):
        text = as_text(node, where, log) or ""
        name, formal = (record.name, text) if record.name else (text, "")
        return Obligation(type="invariant", property=name, formal=formal, location=location)
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map or a text", log)
        return None
    fields = Fields(node, where, log)
    obligation = Obligation(
        type=_obligation_type(fields),
        property=fields.text("property", "description", "name") or record.name,
        formal=fields.text("formal"),
        tolerance=fields.tolerance("tolerance"),
        applies_to=fields.texts("applies_to", "equation"),
        requires=fields.texts("requires"),
        lean=_lean(fields),
        id=fields.text("id"),
        location=location,
    )
    fields.finish()
    return obligation


def _obligation_type(fields: Fields) -> str:
    node = fields.take("type")
    if node is None:
        return "invariant"
    written = fields.text("type")
    name = written.lower().replace("-", "_")
    if written and name not in OBLIGATION_TYPES:
        message = f"{fields.path('type')}: unknown type of obligation {quoted(written)}"
        fields.log.add(
            node, message, did_you_mean(name, OBLIGATION_TYPES), nearest(name, OBLIGATION_TYPES)
        )
    return name or "invariant"


def _lean(fields: Fields) -> Mapping[str, Any] | None:
    node = fields.take("lean")
    if isinstance(node, MapNode):
        return {name: as_data(value) for name, (_, value) in node.entries.items()}
    if isinstance(node, ScalarNode):
        return {"theorem": node.text}
    if node is not None:
        wrong_type(node, fields.path("lean"), "a map", fields.log)
    return None


def _test(record: Record, log: ProblemLog) -> FalsificationTest | None:
    node, where = record.node, record.where
    location = log.locate(node)
    if isinstance(node, ScalarNode):
        text = as_text(node, where, log) or ""
        return FalsificationTest(id=record.name, prediction=text, location=location)
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map or a text", log)
        return None
    fields = Fields(node, where, log)
    test = FalsificationTest(
        id=fields.text("id") or record.name,
        rule=fields.text("rule", "description", "name"),
        prediction=fields.text("prediction", "then"),
        test=fields.text("test"),
        if_fails=fields.text("if_fails"),
        location=location,
    )
    fields.finish()
    return test


def _harness(record: Record, log: ProblemLog) -> Harness | None:
    node, where = record.node, record.where
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map", log)
        return None
    fields = Fields(node, where, log)
    harness = Harness(
        id=fields.text("id") or record.name,
        obligation=fields.text("obligation"),
        property=fields.text("property", "description"),
        bound=fields.integer("bound"),
        strategy=fields.text("strategy"),
        solver=fields.text("solver"),
        harness=fields.text("harness"),
        location=log.locate(node),
    )
    fields.finish()
    return harness
