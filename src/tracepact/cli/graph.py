"""`tracepact graph`: which contracts depend on which."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, print_json
from tracepact.cli.targets import open_target
from tracepact.drift.words import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from tracepact.drift.graph import Graph, Node

NAME: Final = "graph"
HELP: Final = """Draw which contracts depend on which, and mark what is missing or goes in circles.

TARGET is the stem of a contract, a file or a folder; the shipped contracts by default. The text
shows each contract below those that depend on it, and what it depends on only once.

Exit code 0: everything is there. 1: a contract that is depended on is missing, or contracts depend
on each other in a circle. 2: bad call.

Examples:

    tracepact graph contracts

    tracepact graph attention-kernel-v1 --equations

    tracepact graph contracts --format dot | dot -Tsvg > contracts.svg
"""

_TURN: Final = "(see above)"


class GraphFormat(StrEnum):
    """How the graph is written."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


def main(
    target: Annotated[
        str | None, typer.Argument(help="Stem, file or folder.", show_default=False)
    ] = None,
    equations: Annotated[
        bool, typer.Option("--equations", help="Show equations and obligations too.")
    ] = False,
    contracts: ContractsOption = None,
    format_: Annotated[
        GraphFormat, typer.Option("--format", help="What the graph is for.")
    ] = GraphFormat.TEXT,
) -> None:
    """Load, build, print."""
    from tracepact.drift.drawings import dot, mermaid
    from tracepact.drift.graph import build_graph

    registry, stems = open_target(target, contracts)
    graph = build_graph(registry.contracts, stems, equations=equations)
    match format_:
        case GraphFormat.JSON:
            print_json(_data(graph))
        case GraphFormat.DOT:
            typer.echo(dot(graph), nl=False)
        case GraphFormat.MERMAID:
            typer.echo(mermaid(graph), nl=False)
        case _:
            _print(graph)
    if graph.cycles or any(node.kind == "missing" for node in graph.nodes.values()):
        raise typer.Exit(1)


def _data(graph: Graph) -> dict[str, Any]:
    return {
        "nodes": [asdict(node) for node in graph.nodes.values()],
        "edges": [asdict(edge) for edge in graph.edges],
        "cycles": [list(cycle) for cycle in graph.cycles],
        "missing": [node.label for node in graph.nodes.values() if node.kind == "missing"],
    }


def _print(graph: Graph) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    below: dict[str, list[str]] = {}
    for edge in graph.edges:
        below.setdefault(edge.source, []).append(edge.target)
    used = {edge.target for edge in graph.edges}
    shown: set[str] = set()
    # Contracts of a circle are all used, so what is left is begun at its first one.
    for start in [*(id_ for id_ in graph.nodes if id_ not in used), *graph.nodes]:
        if start not in shown:
            _print_tree(console, graph, below, start, shown)
    contracts = sum(node.kind == "contract" for node in graph.nodes.values())
    edges = sum(edge.kind == "depends_on" for edge in graph.edges)
    console.print(f"\n{contracts} contracts, {edges} dependencies")
    for cycle in graph.cycles:
        names = ", ".join(map(one_line, cycle))
        console.print(f"in a circle: {names}; drop one of their dependencies", style="red")
    for node in graph.nodes.values():
        if node.kind == "missing":
            console.print(
                f"missing: {one_line(node.label)}; write it, or drop the dependency", style="red"
            )


def _print_tree(
    console: Console, graph: Graph, below: dict[str, list[str]], start: str, shown: set[str]
) -> None:
    pending = [(start, "", "")]
    while pending:
        id_, first, rest = pending.pop()
        node = graph.nodes[id_]
        again = id_ in shown and bool(below.get(id_))
        console.print(first, style="dim", end="")
        console.print(one_line(node.label), style=_style(node), end="")
        console.print(f"  {_note(node, again=again)}".rstrip(), style="dim")
        if id_ in shown:
            continue
        shown.add(id_)
        targets = below.get(id_, [])
        for target in reversed(targets):
            last = target == targets[-1]
            pending.append(
                (target, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
            )


def _style(node: Node) -> str:
    if node.kind == "missing" or node.in_cycle:
        return "red"
    return {"contract": "bold", "equation": "cyan"}.get(node.kind, "")


def _note(node: Node, *, again: bool) -> str:
    notes = [
        "(missing)" if node.kind == "missing" else "",
        "(in a circle)" if node.in_cycle else "",
        _TURN if again else "",
    ]
    return " ".join(note for note in notes if note)
