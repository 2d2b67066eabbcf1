"""From the tree of a contract file to a `Contract`; every top-level section has its reader here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from tracepact.contracts.equations import read_equations
from tracepact.contracts.fields import Fields, as_data, as_text, wrong_type
from tracepact.contracts.model import (
    ENFORCEMENT_LEVELS,
    KINDS,
    Contract,
    Equation,
    Metadata,
    Terms,
)
from tracepact.contracts.problem_log import ProblemLog, did_you_mean, nearest, quoted
from tracepact.contracts.proofs import read_harnesses, read_obligations, read_tests
from tracepact.contracts.terms import read_terms, stem_of
from tracepact.contracts.yaml_nodes import MapNode, Node

_T = TypeVar("_T")

# The first name is the documented one; the others occur in the wild.
_OBLIGATIONS = ("proof_obligations", "obligations", "properties")
_TESTS = ("falsification_tests", "falsification")
_HARNESSES = ("kani_harnesses", "harnesses")
_TERMS = ("assumes", "guarantees")
_READ_SECTIONS = ("metadata", "equations", *_OBLIGATIONS, *_TESTS, *_HARNESSES, *_TERMS)
_DATA_SECTIONS = (
    "kernel_structure",
    "simd_dispatch",
    "enforcement",
    "performance",
    "verification_summary",
    "qa_gate",
)
_SECTIONS = frozenset(_READ_SECTIONS + _DATA_SECTIONS)
_DOCUMENTED = (
    "metadata",
    "equations",
    _OBLIGATIONS[0],
    _TESTS[0],
    _HARNESSES[0],
    *_TERMS,
    *_DATA_SECTIONS,
)
_METADATA_FIELDS = frozenset(field.name for field in dataclass_fields(Metadata))


def read_document(root: Node, stem: str, path: Path, log: ProblemLog) -> Contract | None:
    """The contract that a document holds; None when no section of it is a contract's."""
    if not isinstance(root, MapNode):
        wrong_type(root, "document", "a map with the sections of a contract", log)
        return None
    if not _SECTIONS & root.entries.keys():
        log.add(root, "no section of a contract", f"known: {', '.join(_DOCUMENTED)}")
        return None
    return Contract(
        stem=stem,
        path=path,
        metadata=_metadata(root, log),
        equations=MappingProxyType(_equations(root, log)),
        obligations=_all(root, _OBLIGATIONS, read_obligations, log),
        falsification_tests=_all(root, _TESTS, read_tests, log),
        harnesses=_all(root, _HARNESSES, read_harnesses, log),
        assumes=_terms(root, "assumes", log),
        guarantees=_terms(root, "guarantees", log),
        sections=MappingProxyType(_other_sections(root, log)),
    )


def _all(
    root: MapNode,
    names: tuple[str, ...],
    read: Callable[[Node, str, ProblemLog], list[_T]],
    log: ProblemLog,
) -> tuple[_T, ...]:
    present = [name for name in names if name in root.entries]
    return tuple(entry for name in present for entry in read(root.entries[name][1], name, log))


def _equations(root: MapNode, log: ProblemLog) -> dict[str, Equation]:
    entry = root.entries.get("equations")
    return {} if entry is None else read_equations(entry[1], log)


def _terms(root: MapNode, name: str, log: ProblemLog) -> Terms | None:
    entry = root.entries.get(name)
    return None if entry is None else read_terms(entry[1], name, log)


def _metadata(root: MapNode, log: ProblemLog) -> Metadata:
    entry = root.entries.get("metadata")
    if entry is None:
        return Metadata()
    if not isinstance(entry[1], MapNode):
        wrong_type(entry[1], "metadata", "a map", log)
        return Metadata()
    fields = Fields(entry[1], "metadata", log)
    metadata = Metadata(
        version=fields.text("version"),
        created=fields.text("created"),
        author=fields.text("author"),
        description=fields.text("description"),
        references=fields.texts("references"),
        depends_on=_depends_on(fields),
        kind=_kind(fields),
        enforcement_level=_level(fields, "enforcement_level"),
        locked_level=_level(fields, "locked_level"),
    )
    fields.finish()
    return metadata


def _kind(fields: Fields) -> str:
    # `registry: true` is the older way to write `kind: registry`.
    default = "registry" if fields.text("registry") == "true" else "kernel"
    node = fields.take("kind")
    if node is None:
        return default
    kind = as_text(node, fields.path("kind"), fields.log)
    if kind in KINDS:
        return kind
    if kind is not None:
        message = f"{fields.path('kind')}: unknown kind {quoted(kind)}, taken as {default!r}"
        fields.log.add(node, message, did_you_mean(kind, KINDS), nearest(kind, KINDS))
    return default


def _level(fields: Fields, name: str) -> str:
    node = fields.take(name)
    level = (as_text(node, fields.path(name), fields.log) or "") if node is not None else ""
    if node is None or level in ENFORCEMENT_LEVELS:
        return level
    message = f"{fields.path(name)}: unknown level {quoted(level)}; it is not used"
    fields.log.add(
        node, message, did_you_mean(level, ENFORCEMENT_LEVELS), nearest(level, ENFORCEMENT_LEVELS)
    )
    return ""


def _depends_on(fields: Fields) -> tuple[str, ...]:
    node = fields.take("depends_on")
    names = node.entries if isinstance(node, MapNode) else fields.texts("depends_on")
    return tuple(stem_of(name) for name in names)


def _other_sections(root: MapNode, log: ProblemLog) -> dict[str, Any]:
    others = {}
    for name, (key, value) in root.entries.items():
        if name in _READ_SECTIONS:
            continue
        others[name] = as_data(value)
        if name not in _DATA_SECTIONS and not log.full:
            hint, instead = _section_hint(name)
            log.add(key, f"unknown section {quoted(name)}", hint, instead)
    return others


def _section_hint(name: str) -> tuple[str, str]:
    """What to do with a section, and the name that it ought to have if that is all."""
    if name in _METADATA_FIELDS:
        return f"write it as metadata.{name}", ""
    if name in ("preconditions", "postconditions", "invariants"):
        return f"write it as equations.<name>.{name}", ""
    if name == "bindings":
        return "write it in a file named binding.yaml", ""
    return did_you_mean(name, _DOCUMENTED), nearest(name, _DOCUMENTED)
