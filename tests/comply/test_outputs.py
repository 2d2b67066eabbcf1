"""Reports of comply in the formats of lint, and as text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tracepact.comply import text
from tracepact.comply.run import all_checks, comply
from tracepact.lint.outputs import github, markdown, sarif
from tracepact.lint.outputs import json as json_output
from tracepact.lint.run import Report


@pytest.fixture
def report(tree: Any, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Of a project whose binding names a function that is not there."""
    tree.edit("binding.yaml", "function: twice", "function: thrice")
    monkeypatch.chdir(tree.folder)
    return comply(tree.folder)


@pytest.mark.parametrize("columns", [80, 120])
def test_text_has_a_line_for_each_check_within_the_terminal(
    report: Report, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = text.render(report)
    table = shown.rpartition("\n\n")[2].replace("\x1b[0m", "")
    assert all(f"\n{id_} " in f"\n{table}" for id_ in all_checks())
    assert "binding.yaml:5:5" in shown
    assert max(len(line) for line in text_only(table)) <= columns


def text_only(styled: str) -> list[str]:
    """Lines without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", styled).splitlines()


def test_json_has_every_check_with_status_and_reason(report: Report) -> None:
    found = json.loads(json_output.render(report))
    assert [each["order"] for each in found["checks"]] == list(range(1200, 1212))
    (finding,) = (each for each in found["findings"] if each["rule"] == "CB-1208")
    assert finding["check"] == "bound-function-missing"
    assert finding["file"] == "binding.yaml"


def test_sarif_has_the_catalogue_of_checks(report: Report) -> None:
    (run,) = json.loads(sarif.render(report))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(all_checks())
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert place["uriBaseId"] == "SRCROOT"


def test_github_and_markdown_name_check_and_place(report: Report) -> None:
    assert "::error file=binding.yaml,line=5,col=5,title=CB-1208" in github.render(report)
    page = markdown.render(report)
    assert page.startswith("# tracepact comply")
    assert "| check | result |" in page
    assert "| 1208 bound-function-missing | failed" in page.replace("\\", "")
