"""SARIF: the whole catalogue, relative places, fingerprints that survive a move."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracepact.lint.baseline import read_baseline
from tracepact.lint.outputs import sarif
from tracepact.lint.run import all_rules, lint

NODE_MODULES = Path(
    os.environ.get("TRACEPACT_TEST_NODE_MODULES") or Path(sys.prefix, "sarif", "node_modules")
)
VALIDATOR = NODE_MODULES / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
MISSING = f"npm's sarif-multitool-linux is not in {NODE_MODULES}"
BAD = """\
metadata: {version: 1.0.0, kind: kernell, references: [r]}
# tracepact: ignore[PV-VAL-004]
equations: {"é 🙂": {domain: x, precondition: [y > 0]}}
proof_obligations: [{type: bond, property: P}]
# tracepact: ignore[PV-VAL-001]
"""


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


@pytest.mark.skipif(not os.access(VALIDATOR, os.X_OK), reason=MISSING)
def test_public_validator_finds_neither_error_nor_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("odd name-v1.yaml")
    path.write_text(BAD)
    elsewhere = tmp_path.parent / "outside-v1.yaml"
    elsewhere.write_text(BAD)
    Path("old.sarif").write_text(sarif.render(lint([path])))
    path.write_text(BAD.replace("bond", "bound"))
    report = lint([path, elsewhere], baseline=read_baseline(Path("old.sarif")))
    text = sarif.render(report)
    for part in ("fixes", "absent", "suppressions", "new", "unchanged"):
        assert f'"{part}"' in text
    Path("new.sarif").write_text(text)
    call = [
        VALIDATOR,
        "validate",
        "new.sarif",
        "--rule-kind",
        "Sarif;Ghas",
        "--output",
        "out.sarif",
    ]
    said = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert "Analysis completed successfully" in said.stdout
    results = json.loads(Path("out.sarif").read_text())["runs"][0]["results"]
    serious = [one for one in results if one.get("level", "warning") in ("error", "warning")]
    # The project has no address of its own to name as the tool's page.
    assert {one["message"]["id"] for one in serious} <= {"Warning_ProvideToolnformationUri"}


def test_fix_replaces_the_region_that_holds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = run(Path("own-v1.yaml"), BAD)["results"]
    lines = BAD.splitlines()
    replaced = set()
    for fix in (fix for result in results for fix in result.get("fixes", ())):
        for change in fix["artifactChanges"][0]["replacements"]:
            region = change["deletedRegion"]
            if region["startLine"] == region["endLine"]:
                text = lines[region["startLine"] - 1]
                old = text[region["startColumn"] - 1 : region["endColumn"] - 1]
                replaced.add((old, change.get("insertedContent", {}).get("text")))
    assert replaced == {
        ("kernell", "kernel"),
        ("precondition", "preconditions"),
        ("bond", "bound"),
    }


def test_report_stays_within_the_limits_of_code_scanning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sarif, "_MOST_RESULTS", 2)
    found = run(tmp_path / "own-v1.yaml", BAD)
    assert [one["level"] for one in found["results"]] == ["error", "error"]
    said = found["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert said.endswith("less severe findings are left out")
    assert all(len(one["locations"]) == 1 for one in found["results"])
    assert all(len(rule["properties"]["tags"]) <= 20 for rule in found["tool"]["driver"]["rules"])
