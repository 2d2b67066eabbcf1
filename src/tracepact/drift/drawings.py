"""A graph as text for Graphviz and Mermaid; names are untrusted and always quoted."""

from __future__ import annotations

from typing import Final

from tracepact.drift.graph import Edge, Graph, Node
from tracepact.drift.words import one_line

_SHAPES: Final = {
    "contract": "shape=box",
    "missing": 'shape=box, style=dashed, color="#c00000", fontcolor="#c00000"',
    "equation": "shape=ellipse",
    "obligation": 'shape=note, fontsize=10, color="#606060"',
}
_LINES: Final = {
    "depends_on": "",
    "has": "style=dotted, arrowhead=none",
    "stated_for": "style=dotted, arrowhead=none",
}
_CYCLE: Final = 'color="#c00000", penwidth=2'


def dot(graph: Graph) -> str:
    """The graph in Graphviz' language."""
    lines = ["digraph contracts {", "  rankdir=LR;", '  node [fontname="Helvetica"];']
    for node in graph.nodes.values():
        facts = [f'label="{_dot_text(_label(node))}"', _SHAPES[node.kind]]
        facts += [_CYCLE] if node.in_cycle else []
        lines.append(f"  {node.id} [{', '.join(facts)}];")
    for edge in graph.edges:
        facts = [each for each in (_LINES[edge.kind], _CYCLE if edge.in_cycle else "") if each]
        end = f" [{', '.join(facts)}]" if facts else ""
        lines.append(f"  {edge.source} -> {edge.target}{end};")
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    brackets = {"equation": ("([", "])"), "obligation": ("[/", "/]")}
    for node in graph.nodes.values():
        left, right = brackets.get(node.kind, ("[", "]"))
        lines.append(f'  {node.id}{left}"{_mermaid_text(_label(node))}"{right}')
    lines += [f"  {edge.source} {_arrow(edge)} {edge.target}" for edge in graph.edges]
    marked = [node.id for node in graph.nodes.values() if node.in_cycle or node.kind == "missing"]
    if marked:
        lines.append("  classDef wrong stroke:#c00000,stroke-width:2px")
        lines.append(f"  class {','.join(marked)} wrong")
    return "\n".join(lines) + "\n"


def _label(node: Node) -> str:
    return f"{node.label} (missing)" if node.kind == "missing" else node.label


def _arrow(edge: Edge) -> str:
    if edge.in_cycle:
        return "-- cycle -->"
    return {"depends_on": "-->", "has": "---", "stated_for": "-.-"}[edge.kind]


def _dot_text(text: str) -> str:
    # In a label a backslash begins `\N` or `\l`, and `&` an entity, quoted or not.
    plain = one_line(text)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _mermaid_text(text: str) -> str:
    """Only letters, digits and a few signs stay; the rest is written by number."""
    return "".join(
        c if c.isalnum() or c in " -_.,:()[]/+=" else f"#{ord(c)};" for c in one_line(text)
    )
