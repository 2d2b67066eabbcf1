"""Loading a binding file: what can be understood is kept, the rest becomes problems."""

from __future__ import annotations

import os
from pathlib import Path

from tracepact.bindings.model import STATUSES, Binding, Bindings, Status, stem_of
from tracepact.contracts.fields import Fields, Record, records, wrong_type
from tracepact.contracts.files import display_name
from tracepact.contracts.load import read_tree
from tracepact.contracts.problem_log import ProblemLog, did_you_mean, quoted
from tracepact.contracts.yaml_nodes import MapNode, Node, ScalarNode

_ENTRY_FIELDS = frozenset(
    ("contract", "equation", "module_path", "function", "signature", "status", "notes")
)
_NEEDED = ("contract", "equation", "module_path", "function", "status")


def load_bindings(path: str | os.PathLike[str] | None) -> Bindings:
    """Load a binding file; None, or a file that is not there, gives one without entries.

    Never raises for what the file holds: see `problems`.
    """
    if path is None or not os.path.lexists(path):
        return Bindings(path=None)
    path = Path(path)
    log = ProblemLog(display_name(path))
    root = read_tree(path, log)
    if root is not None and not isinstance(root, MapNode):
        wrong_type(root, "document", "a map with `bindings`", log)
    if not isinstance(root, MapNode):
        return Bindings(path=path, problems=tuple(log.problems))
    fields = Fields(root, "document", log)
    version, target = fields.text("version"), fields.text("target", "target_crate", "project")
    critical_path = tuple(map(stem_of, fields.texts("critical_path")))
    fields.text("module_root")  # of the original's files; Python's paths are whole
    entries = _entries(fields.take("bindings"), root, log)
    fields.finish()
    return Bindings(
        path=path,
        version=version,
        target=target,
        critical_path=critical_path,
        entries=tuple(entries),
        problems=tuple(log.problems),
    )


def _entries(node: Node | None, root: MapNode, log: ProblemLog) -> list[Binding]:
    if node is None:
        log.add(root, "no section `bindings`", "list the functions that implement equations there")
        return []
    found = (_entry(record, log) for record in records(node, "bindings", _ENTRY_FIELDS))
    return [binding for binding in found if binding is not None]


def _entry(record: Record, log: ProblemLog) -> Binding | None:
    node = record.node
    if not isinstance(node, MapNode):
        wrong_type(node, record.where, "a map with contract, equation and function", log)
        return None
    fields = Fields(node, record.where, log)
    texts = {name: fields.text(name) for name in sorted(_ENTRY_FIELDS - {"status"})}
    status = _status(fields)
    fields.finish()
    missing = [name for name in _NEEDED if name != "status" and not texts[name]]
    if missing:
        hint = "the entry is not used; add " + ("it" if len(missing) == 1 else "them")
        log.add(node, f"{record.where}: no {', '.join(missing)}", hint)
    if missing or status is None:
        return None
    texts["contract"] = stem_of(texts["contract"])
    return Binding(status=status, location=log.locate(node), **texts)


def _status(fields: Fields) -> Status | None:
    node = fields.take("status")
    if node is None:
        hint = f"the entry is not used; add one of {', '.join(STATUSES)}"
        fields.log.add(fields.node, f"{fields.where}: no status", hint)
        return None
    text = node.text.strip() if isinstance(node, ScalarNode) else ""
    for status in STATUSES:
        if text == status:
            return status
    if isinstance(node, ScalarNode):
        message = f"{fields.path('status')}: unknown status {quoted(text)}; the entry is not used"
        fields.log.add(node, message, did_you_mean(text, STATUSES))
    else:
        wrong_type(node, fields.path("status"), f"one of {', '.join(STATUSES)}", fields.log)
    return None
