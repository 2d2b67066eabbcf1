"""`tracepact prove` runs harnesses, and exits 1 for one that is refuted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError

CONTRACT = """
metadata: {version: 1.0.0, description: Example, references: [none]}
equations:
  relu: {formula: 'relu(x) = max(x, 0)', domain: 'x [..., n]', preconditions: [all(isfinite(x))]}
proof_obligations:
  - {type: bound, property: Not below zero, formal: ret >= 0, applies_to: [relu]}
  - {type: bound, property: Below one, formal: ret < 1, applies_to: [relu]}
  - {type: bound, property: Prose, formal: it is fine, applies_to: [relu]}
kani_harnesses:
  - {id: K-1, obligation: Not below zero, bound: 3, strategy: exhaustive}
  - {id: K-2, obligation: Below one, bound: 3, strategy: exhaustive}
  - {id: K-3, obligation: Prose, bound: 3, strategy: exhaustive}
"""


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "relu-v1.yaml"
    path.write_text(CONTRACT)
    return path


def prove(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["prove", *map(str, arguments)])


def test_refuted_harness_exits_1_and_shows_a_call(contract: Path) -> None:
    result = prove(contract)
    assert result.exit_code == 1
    assert "proved     K-1  Not below zero" in result.stdout
    assert "refuted    K-2  Below one" in result.stdout
    assert "obligation 'Below one' violated" in result.stdout
    assert "undecided  K-3  Prose" in result.stdout
    assert "1 proved, 1 refuted, 1 undecided" in result.stdout


def test_without_a_refuted_one_exit_is_0(contract: Path) -> None:
    assert prove(contract, "--harness", "K-1").exit_code == 0
    assert prove(contract, "--harness", "K-3").exit_code == 0


def test_json_has_what_people_see(contract: Path) -> None:
    data = json.loads(prove(contract, "--format", "json").stdout)
    assert data["counts"] == {"proved": 1, "refuted": 1, "undecided": 1}
    first, second, _ = data["harnesses"]
    assert (first["contract"], first["harness"], first["bound"]) == ("relu-v1", "K-1", 3)
    assert first["location"].endswith("relu-v1.yaml:10:5")
    assert second["counterexample"].startswith("import numpy as np")


def test_unknown_harness_says_so(contract: Path) -> None:
    result = prove(contract, "--harness", "K-9")
    assert isinstance(result.exception, ConfigError)
    assert "no harness is called K-9" in str(result.exception)
