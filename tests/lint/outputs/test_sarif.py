"""SARIF: the whole catalogue, relative places, fingerprints that survive a move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracepact.lint.outputs import sarif
from tracepact.lint.run import all_rules, lint


def run(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    found: dict[str, Any] = json.loads(sarif.render(lint([path])))["runs"][0]
    return found


def test_results_name_rules_of_the_catalogue_at_relative_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(Path("a b-v1.yaml"), "equations: {e: {domain: x}}\n")
    rules = found["tool"]["driver"]["rules"]
    assert len(rules) == sum(map(len, all_rules().values()))
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "a%20b-v1.yaml", "uriBaseId": "SRCROOT"}
        assert place["region"]["startLine"] == 1


def test_fingerprints_are_the_same_when_findings_move_and_differ_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "own-v1.yaml"
    prints = [
        [
            result["partialFingerprints"]["tracepactFinding/v1"]
            for result in run(path, text)["results"]
        ]
        for text in ("equations: {e: {domain: x}}\n", "# moved\n\nequations: {e: {domain: x}}\n")
    ]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0]) > 1
