"""The functions of `helpers` that a piece of source uses, as source."""

from __future__ import annotations

import ast
from functools import cache
from importlib import resources
from pprint import pformat
from typing import NamedTuple

from tracepact.codegen import helpers
from tracepact.codegen.layout import WIDTH


class _Helper(NamedTuple):
    source: str
    uses: frozenset[str]


@cache
def _helpers() -> dict[str, _Helper]:
    """Constants and functions by name, in the order of their module."""
    text = resources.files("tracepact.codegen").joinpath("helpers.py").read_text("utf-8")
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            source = ast.get_source_segment(text, node) or ""
            uses = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            found[node.name] = _Helper(source, frozenset(uses))
        elif isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            value = pformat(getattr(helpers, name), width=WIDTH, sort_dicts=False)
            found[name] = _Helper(f"{name} = {value}", frozenset())
    return found


def helper_names() -> list[str]:
    """Names that exported modules may define for themselves."""
    return list(_helpers())


def prelude(source: str) -> list[str]:
    """Definitions of the helpers that `source` uses, and of those that they use in turn.

    Args:
        source: Python that parses.
    """
    wanted = {part.id for part in ast.walk(ast.parse(source)) if isinstance(part, ast.Name)}
    helpers_by_name = _helpers()
    needed: set[str] = set()
    while new := (wanted & helpers_by_name.keys()) - needed:
        needed |= new
        wanted = set().union(*(helpers_by_name[name].uses for name in new))
    return [helper.source for name, helper in helpers_by_name.items() if name in needed]
