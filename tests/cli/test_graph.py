"""`tracepact graph` draws what depends on what, and fails where it cannot be followed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app


def graph(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["graph", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for stem, needs in (("a-v1", "b-v1"), ("b-v1", "c-v1"), ("c-v1", "b-v1, gone-v1")):
        (tmp_path / f"{stem}.yaml").write_text(
            f"metadata: {{depends_on: [{needs}]}}\nequations: {{e: {{formula: y = x}}}}\n"
        )
    return tmp_path


def test_shipped_contracts_hang_together() -> None:
    result = graph("attention-kernel-v1")
    assert (result.exit_code, result.stdout) == (
        0,
        "attention-kernel-v1\n├─ softmax-kernel-v1\n└─ matmul-kernel-v1\n"
        "\n3 contracts, 2 dependencies\n",
    )
    assert graph().exit_code == 0


def test_circles_and_missing_contracts_are_marked_and_fail(folder: Path) -> None:
    result = graph(folder)
    assert result.exit_code == 1
    assert result.stdout == (
        "a-v1\n"
        "└─ b-v1  (in a circle)\n"
        "   └─ c-v1  (in a circle)\n"
        "      ├─ b-v1  (in a circle) (see above)\n"
        "      └─ gone-v1  (missing)\n"
        "\n"
        "3 contracts, 4 dependencies\n"
        "in a circle: b-v1, c-v1; drop one of their dependencies\n"
        "missing: gone-v1; write it, or drop the dependency\n"
    )


def test_equations_come_below_their_contract(folder: Path) -> None:
    assert "a-v1\n├─ e\n└─ b-v1" in graph(folder, "--equations").stdout


def test_json_names_nodes_edges_and_what_is_wrong(folder: Path) -> None:
    data = json.loads(graph(folder, "--format", "json").stdout)
    assert data["cycles"] == [["b-v1", "c-v1"]]
    assert data["missing"] == ["gone-v1"]
    assert len(data["nodes"]) == len(data["edges"]) == 4
    assert data["nodes"][0]["location"]["file"] == str(folder / "a-v1.yaml")


@pytest.mark.parametrize(
    ("format_", "head", "line"),
    [
        ("dot", "digraph contracts {", "  c0 -> c1;"),
        ("mermaid", "flowchart LR", "  c0 --> c1"),
    ],
)
def test_drawings_have_every_edge(format_: str, head: str, line: str, folder: Path) -> None:
    lines = graph(folder, "--format", format_).stdout.splitlines()
    assert lines[0] == head
    assert line in lines
    assert sum("->" in each or "-->" in each for each in lines) == 4


@pytest.mark.parametrize("command", ["graph", "coverage", "diff", "query"])
@pytest.mark.parametrize("format_", ["text", "json"])
def test_file_name_that_is_not_utf8_can_be_printed(
    command: str, format_: str, tmp_path: Path
) -> None:
    try:
        (tmp_path / os.fsdecode(b"b\xff-v1.yaml")).write_text("equations: {e: {formula: y = x}}\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a-v1.yaml").write_text("equations: {}\n")
    arguments = {
        "diff": [str(tmp_path / "empty"), str(tmp_path)],
        "query": ["y", "--contracts", str(tmp_path)],
    }.get(command, [str(tmp_path)])
    result = CliRunner().invoke(app, [command, *arguments, "--format", format_])
    assert result.exit_code in (0, 1)
    assert "b\\" in result.stdout
    assert result.exception is None or isinstance(result.exception, SystemExit)
