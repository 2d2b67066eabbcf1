"""The graph has what is reached, what is missing, and every circle once."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.contracts import Contract, Metadata
from tracepact.contracts.load import parse_contract
from tracepact.drift.drawings import dot, mermaid
from tracepact.drift.graph import Graph, build_graph


def contract(stem: str, depends_on: Sequence[str] = ()) -> Contract:
    return Contract(
        stem=stem,
        path=Path(f"{stem}.yaml"),
        metadata=Metadata(depends_on=tuple(depends_on)),
        equations={},
        obligations=(),
        falsification_tests=(),
        harnesses=(),
        sections={},
    )


def graph_of(needs: Mapping[str, Sequence[str]], *stems: str) -> Graph:
    contracts = {stem: contract(stem, targets) for stem, targets in needs.items()}
    return build_graph(contracts, stems or contracts)


def labels(graph: Graph) -> dict[str, str]:
    return {node.label: node.kind for node in graph.nodes.values()}


def test_only_what_a_contract_leads_to_is_drawn() -> None:
    graph = graph_of({"a": ["b"], "b": ["c"], "c": [], "d": ["a"]}, "a")
    assert list(labels(graph)) == ["a", "b", "c"]
    assert len(graph.edges) == 2
    assert graph.cycles == ()


def test_missing_contract_is_a_node_of_its_own_kind() -> None:
    assert labels(graph_of({"a": ["b"]})) == {"a": "contract", "b": "missing"}


def test_circles_are_found_and_their_edges_marked() -> None:
    graph = graph_of({"a": ["b"], "b": ["c", "b2"], "c": ["b"], "b2": [], "s": ["s"]})
    assert graph.cycles == (("b", "c"), ("s",))
    names = {id_: node.label for id_, node in graph.nodes.items()}
    marked = {(names[e.source], names[e.target]) for e in graph.edges if e.in_cycle}
    assert marked == {("b", "c"), ("c", "b"), ("s", "s")}


def test_long_chain_is_no_problem() -> None:
    graph = graph_of({str(i): [str(i + 1)] for i in range(20_000)} | {"20000": ["0"]})
    assert len(graph.cycles) == 1
    assert len(graph.cycles[0]) == 20_001


names = st.sampled_from("abcde")


@given(st.dictionaries(names, st.lists(names, max_size=3)))
def test_edge_is_in_a_circle_exactly_if_its_end_leads_back(needs: dict[str, list[str]]) -> None:
    graph = graph_of(needs)
    below: dict[str, set[str]] = {}
    for edge in graph.edges:
        below.setdefault(edge.source, set()).add(edge.target)

    def leads(start: str, end: str) -> bool:
        seen, pending = set(), [start]
        while pending:
            each = pending.pop()
            if each not in seen:
                seen.add(each)
                pending += below.get(each, ())
        return end in seen

    for edge in graph.edges:
        assert edge.in_cycle is leads(edge.target, edge.source)


def test_equations_and_obligations_are_nodes_when_asked_for() -> None:
    text = """
equations: {e: {formula: y = x}, f: {formula: y = z}}
proof_obligations:
  - {property: both, applies_to: [e, f]}
  - {property: whole}
"""
    parsed = parse_contract(text.encode(), "a-v1.yaml")[0]
    assert parsed is not None
    graph = build_graph({"a-v1": parsed}, ["a-v1"], equations=True)
    names = {id_: node.label for id_, node in graph.nodes.items()}
    assert {(names[e.source], e.kind, names[e.target]) for e in graph.edges} == {
        ("a-v1", "has", "e"),
        ("a-v1", "has", "f"),
        ("e", "stated_for", "invariant: both"),
        ("f", "stated_for", "invariant: both"),
        ("a-v1", "stated_for", "invariant: whole"),
    }


# -- names are untrusted ---------------------------------------------------------------------

HOSTILE = [
    'a"]; evil [label="x',
    "a\\",
    'a\\"',
    "a\n}\nsubgraph {",
    "<b>html</b>",
    "&quot;",
    "\\N\\G",
    "`markdown`",
    "end",
    '"];click c0 "javascript:alert(1)"',
    "#quot;",
    "%%{init: {}}%%",
    "ü → 𝛼",
    "\x1b[31m\0",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=20))


@given(st.lists(texts, min_size=1, max_size=5, unique=True))
def test_names_cannot_leave_their_quotes_in_dot(stems: list[str]) -> None:
    drawn = dot(graph_of(dict.fromkeys(stems, stems)))
    lines = drawn.splitlines()
    quoted = r'"(?:[^"\\\n]|\\\\|\\")*"'
    node = re.compile(rf"  c\d+ \[label={quoted}, shape=box(, [^\"]*\"#c00000\"[^\"]*)?\];")
    edge = re.compile(r"  c\d+ -> c\d+( \[[^\[\]]*\])?;")
    assert (lines[0], lines[-1]) == ("digraph contracts {", "}")
    assert all(node.fullmatch(line) or edge.fullmatch(line) for line in lines[3:-1])


@given(st.lists(texts, min_size=1, max_size=5, unique=True))
def test_names_cannot_leave_their_quotes_in_mermaid(stems: list[str]) -> None:
    lines = mermaid(graph_of(dict.fromkeys(stems, stems))).splitlines()
    node = re.compile(r'  c\d+\["(?:[^\W]|[ \-_.,:()\[\]/+=]|#\d+;)*"\]')
    edge = re.compile(r"  c\d+ (-->|-- cycle -->) c\d+")
    mark = re.compile(r"  class(Def wrong .*| [c\d,]+ wrong)")
    assert lines[0] == "flowchart LR"
    assert all(
        node.fullmatch(line) or edge.fullmatch(line) or mark.fullmatch(line) for line in lines[1:]
    )


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_every_name_as_it_is() -> None:
    graph = graph_of({stem: ["missing"] for stem in HOSTILE})
    done: Any = subprocess.run(
        ["dot", "-Tplain"], input=dot(graph).encode(), capture_output=True, check=True
    )
    assert done.stdout.count(b"\nnode ") == len(HOSTILE) + 1
