"""Reading what an equation or a contract assumes of others, and guarantees to them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from tracepact.contracts.clauses import read_clauses
from tracepact.contracts.fields import Fields, as_texts, wrong_type
from tracepact.contracts.model import Shape, Terms
from tracepact.contracts.problem_log import ProblemLog, shortened
from tracepact.contracts.yaml_nodes import MapNode, Node


def read_terms(node: Node, where: str, log: ProblemLog) -> Terms | None:
    """Terms of a map; None, with a problem, for anything else, and without one for nothing."""
    if node.is_null:
        return None
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map with shapes or constraints", log)
        return None
    fields = Fields(node, where, log)
    terms = Terms(
        shapes=_shapes(fields),
        constraints=read_clauses(fields, "constraints"),
        from_contract=stem_of(fields.text("from_contract")),
        from_equation=fields.text("from_equation"),
        location=log.locate(node),
    )
    fields.finish()
    return terms


def stem_of(name: str) -> str:
    """The stem of a contract that is named by its stem, its file name or its path."""
    return re.sub(r"\.ya?ml\Z", "", PurePosixPath(name).name)


def _shapes(fields: Fields) -> tuple[Shape, ...]:
    node = fields.take("shapes")
    if node is None:
        return ()
    where, log = fields.path("shapes"), fields.log
    if not isinstance(node, MapNode):
        wrong_type(node, where, "a map such as `q: {dims: [batch, seq]}`", log)
        return ()
    found = []
    for name, (key, value) in node.entries.items():
        place = f"{where}.{shortened(name)}"
        if isinstance(value, MapNode):
            of_shape = Fields(value, place, log)
            dims = of_shape.texts("dims")
            of_shape.finish()
        else:
            dims = as_texts(value, place, log)
        found.append(Shape(name, dims, log.locate(key)))
    return tuple(found)
