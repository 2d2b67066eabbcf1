"""Which contracts depend on which, with what is missing and what goes in circles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tracepact.contracts import Contract
from tracepact.contracts.files import display_name
from tracepact.types import SourceLocation

NodeKind: TypeAlias = Literal["contract", "missing", "equation", "obligation"]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph; `id` is made up, `label` is what a contract says."""

    id: str
    kind: NodeKind
    label: str
    location: SourceLocation | None
    in_cycle: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` depends on `target`, has it as a part, or is what it is stated for."""

    source: str
    target: str
    kind: Literal["depends_on", "has", "stated_for"]
    in_cycle: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Contracts and what hangs together, in the order given.

    Attributes:
        nodes: By id.
        edges: Each once.
        cycles: Contracts (stems) that depend on each other, each circle once.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    cycles: tuple[tuple[str, ...], ...]


def build_graph(
    contracts: Mapping[str, Contract], stems: Iterable[str], *, equations: bool = False
) -> Graph:
    """The graph of some contracts and of all that they depend on.

    Args:
        contracts: All that are known, by stem.
        stems: Where to begin.
        equations: Whether equations and obligations are nodes too.

    Linear in contracts, dependencies and obligations.
    """
    found = _reached(contracts, stems)
    needs = {
        stem: tuple(dict.fromkeys(contracts[stem].metadata.depends_on)) if stem in contracts else ()
        for stem in found
    }
    ids = {stem: f"c{index}" for index, stem in enumerate(found)}
    circle = _circles(needs)
    members: dict[int, list[str]] = {}
    for stem in found:
        members.setdefault(circle[stem], []).append(stem)
    turning = {s for group in members.values() if len(group) > 1 for s in group}
    turning |= {stem for stem in found if stem in needs[stem]}
    nodes = {ids[stem]: _contract(ids[stem], stem, contracts, turning) for stem in found}
    edges: list[Edge] = []
    if equations:
        for stem in found:
            if stem in contracts:
                _add_parts(contracts[stem], ids[stem], nodes, edges)
    edges += [
        Edge(ids[a], ids[b], "depends_on", a in turning and circle[a] == circle[b])
        for a in found
        for b in needs[a]
    ]
    cycles = tuple(tuple(group) for group in members.values() if group[0] in turning)
    return Graph(nodes, tuple(edges), cycles)


def _contract(id_: str, stem: str, contracts: Mapping[str, Contract], turning: set[str]) -> Node:
    found = contracts.get(stem)
    if found is None:
        return Node(id_, "missing", stem, None)
    return Node(
        id_, "contract", stem, SourceLocation(display_name(found.path), 1, 1), stem in turning
    )


def _reached(contracts: Mapping[str, Contract], stems: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    pending = list(stems)[::-1]
    while pending:
        stem = pending.pop()
        if stem not in found:
            found[stem] = None
            if stem in contracts:
                pending += reversed(contracts[stem].metadata.depends_on)
    return list(found)


def _circles(needs: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """A number for each stem, the same for those that reach each other (Kosaraju's algorithm)."""
    users: dict[str, list[str]] = {stem: [] for stem in needs}
    for stem, targets in needs.items():
        for target in targets:
            users[target].append(stem)
    order = list(_finished(needs))
    number: dict[str, int] = {}
    for index, stem in enumerate(reversed(order)):
        pending = [stem]
        while pending:
            each = pending.pop()
            if each not in number:
                number[each] = index
                pending += users[each]
    return number


def _finished(needs: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    """Every stem after all that it leads to, circles aside."""
    seen: set[str] = set()
    for start in needs:
        pending = [(start, False)]
        while pending:
            stem, done = pending.pop()
            if done:
                yield stem
            elif stem not in seen:
                seen.add(stem)
                pending.append((stem, True))
                pending += [(target, False) for target in needs[stem] if target not in seen]


def _add_parts(contract: Contract, id_: str, nodes: dict[str, Node], edges: list[Edge]) -> None:
    ids = {name: f"{id_}e{index}" for index, name in enumerate(contract.equations)}
    for name, equation in contract.equations.items():
        nodes[ids[name]] = Node(ids[name], "equation", name, equation.location)
        edges.append(Edge(id_, ids[name], "has"))
    for index, each in enumerate(contract.obligations):
        own = f"{id_}o{index}"
        nodes[own] = Node(own, "obligation", f"{each.type}: {each.property}", each.location)
        about = [ids[name] for name in contract.equations if name in each.applies_to]
        edges += [Edge(owner, own, "stated_for") for owner in about or (id_,)]
