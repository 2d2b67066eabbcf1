"""`tracepact export`: files, exit codes, and what is said about what is left out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *(str(argument) for argument in arguments)])


def test_module_goes_to_standard_output_and_exits_0() -> None:
    result = export("rope-kernel-v1", "--to", "icontract")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "enforce_rope" in result.stdout
    ast.parse(result.stdout)


def test_file_is_written_and_may_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    assert export("rope-kernel-v1", "--to", "asserts", "-o", path).stdout == ""
    first = path.read_text()
    assert f"-o {path.as_posix()}" in first
    assert export("rope-kernel-v1", "--to", "asserts", "-o", path).exit_code == 0
    assert path.read_text() == first


def test_file_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("important = True\n")
    result = export("rope-kernel-v1", "--to", "asserts", "-o", path)
    assert isinstance(result.exception, ConfigError)
    assert "exists and was not exported by tracepact; name another file" in str(result.exception)
    assert path.read_text() == "important = True\n"


def test_what_is_not_expressed_is_named_and_exits_1(tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    result = export("inference-pipeline-v1", "--to", "deal", "-o", path)
    assert result.exit_code == 1
    assert "not checked: " in result.stderr
    assert "inference-pipeline-v1.yaml:" in result.stderr
    assert "'position == old(position) + 1' looks back with old(…)" in result.stderr
    assert "# Not checked: " in path.read_text()


@pytest.mark.parametrize("target", ["asserts", "deal", "icontract"])
def test_equation_of_which_nothing_is_left_is_still_named(target: str, tmp_path: Path) -> None:
    (tmp_path / "own-v1.yaml").write_text(
        "equations:\n"
        "  vague: {postconditions: ['for every x']}\n"
        "  clear: {postconditions: ['ret > 0']}\n"
    )
    result = export("own-v1", "--to", target, "--contracts", tmp_path)
    assert result.exit_code == 1
    assert "own-v1.yaml:2:" in result.stderr
    assert "# Not checked: own-v1.yaml:2:" in result.stdout
    assert "_vague" not in result.stdout
    ast.parse(result.stdout)


def test_note_about_another_moment_exits_0() -> None:
    result = export("softmax-kernel-v1", "--to", "asserts", "--equation", "shift_invariance")
    assert result.exit_code == 0
    assert "note: " in result.stderr
    assert "it is checked when the function ends" in result.stderr
    assert "--equation shift_invariance" in result.stdout
    assert "masking" not in result.stdout


def test_own_contracts_are_named_in_the_header(tmp_path: Path) -> None:
    (tmp_path / "own-v1.yaml").write_text("equations: {e: {postconditions: ['ret > 0']}}\n")
    result = export("own-v1", "--to", "asserts", "--contracts", tmp_path)
    assert f"--contracts {tmp_path.as_posix()}" in result.stdout


def test_field_is_bound_to_the_result() -> None:
    options = ("--equation", "throughput_bound", "--bind", "throughput=ret")
    result = export("roofline-model-v1", "--to", "icontract", *options)
    assert "--bind throughput=ret" in result.stdout
    assert "throughput = _field(" not in result.stdout
    assert "ret = _field(result)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rope-kernel-v1", "--to", "deals"], "did you mean 'deal'?"),
        (["rope-kernel-v1", "--to", "deal", "--bind", "x"], "write it as FIELD=PARAMETER"),
        (
            ["rope-kernel-v1", "--to", "deal", "--bind", "x=a", "--bind", "x=b"],
            "'x' is 'a' already",
        ),
        (["rope-kernel-v2", "--to", "deal"], "did you mean 'rope-kernel-v1'?"),
        (["rope-kernel-v1", "--to", "deal", "-o", "/nonexistent/x.py"], "cannot be written"),
    ],
)
def test_bad_call_says_what_to_do(arguments: list[str], says: str) -> None:
    result = export(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)


def test_contract_may_be_named_by_its_file() -> None:
    result = export("rope-kernel-v1.yaml", "--to", "asserts")
    assert result.exit_code == 0
    assert result.stdout == export("rope-kernel-v1", "--to", "asserts").stdout


def test_equation_that_is_named_twice_is_exported_once() -> None:
    options = ("--equation", "rope", "--equation", "rope")
    result = export("rope-kernel-v1", "--to", "asserts", *options)
    assert result.stdout.count("def check_rope_ensures(") == 1
