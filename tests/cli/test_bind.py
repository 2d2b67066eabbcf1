"""`tracepact bind` lists, verifies, proposes, and says with its exit code what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app, main

ROOT = Path(__file__).parents[2]
WRONG = """\
target: demo
bindings:
  - contract: softmax-kernel-v1
    equation: softmax
    module_path: demo.kernels
    function: softmax
    status: done
"""


def bind(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bind", *map(str, arguments)])


def test_own_bindings_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = bind("--verify", "--static", "src")
    assert result.exit_code == 0, result.output
    assert "src/tracepact/binding.yaml: 104 bindings: 104 implemented" in result.output
    assert "implemented     true   softmax-kernel-v1/softmax" in result.output


def test_problem_of_the_file_is_a_finding_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "binding.yaml").write_text(WRONG)
    result = bind(tmp_path / "binding.yaml")
    assert result.exit_code == 1
    assert "binding.yaml:7:13: bindings[0].status: unknown status 'done'" in result.output


def test_json_has_bindings_and_findings(tmp_path: Path) -> None:
    (tmp_path / "binding.yaml").write_text(WRONG.replace("done", "pending"))
    result = bind(tmp_path / "binding.yaml", "--format", "json", "--verify")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert data["target"] == "demo"
    assert (data["bindings"][0]["status"], data["bindings"][0]["verified"]) == ("pending", False)
    assert "cannot be imported" in data["findings"][0]["message"]


def test_no_binding_file_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = bind()
    assert result.exit_code == 0
    assert "no binding file" in result.output
    assert "none: 0 bindings" in result.output


def test_file_of_the_package_is_found_from_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "src/demo"
    package.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (package / "binding.yaml").write_text(WRONG)
    result = bind()
    assert result.exit_code == 1
    assert "src/demo/binding.yaml:7:13: " in result.output
    (tmp_path / "binding.yaml").write_text(WRONG)
    assert "name one: binding.yaml, src/demo/binding.yaml" in str(bind().exception)


def test_file_that_is_named_but_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACEPACT_BINDING", "gone.yaml")
    result = bind()
    assert result.exit_code == 0
    assert "gone.yaml: no such file; TRACEPACT_BINDING or" in result.output


def test_proposals_are_a_file_or_can_be_appended_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernels.py").write_text("def softmax(x): ...\n")
    (tmp_path / "binding.yaml").touch()  # as the shell does for `> binding.yaml`
    result = bind("--propose", "--source", tmp_path)
    assert result.exit_code == 0
    (tmp_path / "binding.yaml").write_text(result.stdout)
    (tmp_path / "more.py").write_text("def rmsnorm(x, weight, eps): ...\n")
    appended = bind("--propose", "--source", tmp_path).stdout
    (tmp_path / "binding.yaml").write_text(result.stdout + appended)
    listed = bind(tmp_path / "binding.yaml")
    assert "pending         softmax-kernel-v1/softmax  kernels:softmax" in listed.output
    assert "pending         rmsnorm-kernel-v1/rmsnorm  more:rmsnorm" in listed.output
    data = json.loads(bind("--propose", "--source", tmp_path, "--format", "json").stdout)
    assert data["proposed"] == []


def test_constants_are_written_and_compared(tmp_path: Path) -> None:
    binding, module = tmp_path / "binding.yaml", tmp_path / "_contracts.py"
    binding.write_text(WRONG.replace("done", "partial"))
    stale = bind(binding, "--constants", module, "--check")
    assert (stale.exit_code, module.exists()) == (1, False)
    assert bind(binding, "--constants", module).exit_code == 0
    assert 'CONTRACT_SOFTMAX_KERNEL_V1_SOFTMAX: Final = "partial"' in module.read_text()
    assert bind(binding, "--constants", module, "--check").exit_code == 0
    binding.write_text(WRONG.replace("done", "pending"))
    assert bind(binding, "--constants", module, "--check").exit_code == 1
    module.write_bytes(b"\xff")
    assert bind(binding, "--constants", module, "--check").exit_code == 1
    assert bind(binding, "--constants", module).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.yaml"],
        ["--check"],
        ["--static", "missing"],
        ["--propose", "--source", "no"],
        ["--source", "."],
        ["--constants", "missing/_contracts.py"],
        ["--constants", "."],
    ],
)
def test_bad_call_exits_with_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tracepact", "bind", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
