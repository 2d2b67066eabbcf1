"""`tracepact show` prints a contract with places, and says what nothing checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Output

from tracepact.cli.app import app
from tracepact.errors import ConfigError
from tracepact.evidence import Result, write_evidence

ROOT = Path(__file__).parents[2]


def show(*arguments: object) -> Output:
    return CliRunner().invoke(app, ["show", *map(str, arguments)])


def test_contract_is_shown_with_places_tests_and_harnesses() -> None:
    text = show("softmax-kernel-v1").stdout
    assert "softmax-kernel-v1 1.0.0 (kernel)" in text
    assert "  after      abs(row_sums(ret) - 1) <= tol" in text
    assert "softmax-kernel-v1.yaml:43:10" in text
    assert "  conservation: Output sums to 1\n" in text
    assert "FALSIFY-SM-003: A row that sums to 0.93" in text
    assert "KANI-SM-003: exhaustive, bound 5" in text
    assert "ladder" not in text


def test_equation_is_shown_alone_and_with_its_level(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.json"
    passed = Result(
        test="b",
        kind="bounded",
        outcome="passed",
        contract="softmax-kernel-v1",
        equation="masking",
        obligation="Masked entries get no weight",
    )
    write_evidence(evidence, tmp_path, [passed])
    text = show("softmax-kernel-v1", "masking", "--evidence", evidence).stdout
    assert "Masked entries get no weight  L4 bounded model checking" in text
    assert "Output sums to 1" not in text
    assert "ladder: L0 review and lint" in text


def test_tests_say_what_came_of_them(tmp_path: Path) -> None:
    path = tmp_path / "demo-v1.yaml"
    path.write_text(
        "equations: {e: {formula: f}}\nproof_obligations: [{property: p, type: bound}]\n"
        "falsification_tests:\n  - {id: F-1, rule: p, prediction: q, test: test_it}\n"
    )
    evidence = tmp_path / "evidence.json"
    write_evidence(
        evidence, tmp_path, [Result(test="t.py::test_it", kind="test", outcome="failed")]
    )
    text = show(path, "--evidence", evidence).stdout
    assert "bound: p  L0 review and lint" in text
    assert "test_it  (failed)" in text
    assert "test F-1 is refuted by t.py::test_it" in text


def test_source_that_is_no_python_is_said(tmp_path: Path) -> None:
    path = tmp_path / "demo-v1.yaml"
    path.write_text("falsification_tests: [{id: F-1, prediction: q, test: test_it}]")
    (tmp_path / "t.py").write_text("def test_it(:\n")
    assert "t.py:1:13: not Python" in show(path, "--source", tmp_path).stdout


def test_placeholder_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "demo-v1.yaml"
    path.write_text("equations: {e: {formula: f, postconditions: ['len(ret) > 0']}}")
    assert "len(ret) > 0  (placeholder: only asks whether something is there)" in show(path).stdout


def test_clause_that_nothing_understands_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "demo-v1.yaml"
    path.write_text("equations: {e: {formula: '[f]', postconditions: ['ret is nice', 'ret > 0']}}")
    text = show(path).stdout
    assert "ret is nice  (not understood, not checked)" in text
    assert "ret > 0  (not" not in text
    assert "formula    [f]" in text
    data = json.loads(show(path, "--format", "json").stdout)
    assert "ret is nice" in data["equations"][0]["unusable"][0]["message"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["softmax"], "neither a contract nor a path"),
        (["softmax-kernel-v1", "mask"], "did you mean 'masking'"),
        (["softmax-kernel-v1", "--source", "nowhere"], "--source nowhere"),
        (["src/tracepact/contracts/library"], "name one of them"),
    ],
)
def test_bad_call_says_what_to_do(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = show(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
