"""`tracepact scaffold`: what it writes, what it leaves alone, what its exit codes say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError


def scaffold(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["scaffold", *map(str, arguments)])


def test_interface_skeleton_and_tests_are_written(tmp_path: Path) -> None:
    result = scaffold("softmax-kernel-v1", "-o", tmp_path / "src", "--tests", tmp_path / "tests")
    assert result.exit_code == 0
    assert result.stdout.count("wrote: ") == 3
    assert (
        "class SoftmaxKernelV1(Protocol):"
        in (tmp_path / "src" / "softmax_kernel_v1_protocol.py").read_text()
    )
    assert (tmp_path / "src" / "softmax_kernel_v1.py").is_file()
    assert (tmp_path / "tests" / "test_softmax_kernel_v1.py").is_file()


def test_what_a_person_wrote_is_kept_unless_forced(tmp_path: Path) -> None:
    scaffold("softmax-kernel-v1", "-o", tmp_path)
    skeleton = tmp_path / "softmax_kernel_v1.py"
    skeleton.write_text("mine = 1\n")
    assert "kept: " in scaffold("softmax-kernel-v1", "-o", tmp_path).stdout
    assert skeleton.read_text() == "mine = 1\n"
    scaffold("softmax-kernel-v1", "-o", tmp_path, "--force")
    assert "class SoftmaxKernelV1Implementation:" in skeleton.read_text()


def test_protocol_can_be_had_alone(tmp_path: Path) -> None:
    scaffold("softmax-kernel-v1", "-o", tmp_path, "--protocol-only")
    assert [path.name for path in tmp_path.iterdir()] == ["softmax_kernel_v1_protocol.py"]


def test_check_exits_1_until_the_protocol_is_current(
    tmp_path: Path, write_contract: Callable[..., Path]
) -> None:
    contract = write_contract("ret > x")
    arguments = ("demo-kernel-v1", "-o", tmp_path, "--contracts", contract.parent)
    missing = scaffold(*arguments, "--check")
    assert missing.exit_code == 1
    assert "demo_kernel_v1_protocol.py is missing; run: tracepact scaffold" in missing.stdout
    assert not (tmp_path / "demo_kernel_v1_protocol.py").exists()
    assert scaffold(*arguments, "--protocol-only").exit_code == 0
    current = scaffold(*arguments, "--check")
    assert (current.exit_code, current.stdout.startswith("current: ")) == (0, True)
    write_contract("ret > x + y")
    changed = scaffold(*arguments, "--check")
    assert changed.exit_code == 1
    assert "differs from what the contract says" in changed.stdout


def test_command_that_a_stale_check_names_makes_it_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("softmax-kernel-v1", "-o", "a b", "--array", "torch:Tensor")
    said = scaffold(*options, "--check").stdout
    assert "'a b'" in said
    command = "tracepact scaffold softmax-kernel-v1 -o 'a b' --array torch:Tensor --protocol-only"
    assert command in said
    scaffold(*options, "--protocol-only")
    assert command in (tmp_path / "a b" / "softmax_kernel_v1_protocol.py").read_text()
    assert scaffold(*options, "--check").exit_code == 0
    assert scaffold(*options[:3], "--check").exit_code == 1


def test_contract_may_be_named_by_its_file(tmp_path: Path) -> None:
    assert scaffold("softmax-kernel-v1.yaml", "-o", tmp_path, "--protocol-only").exit_code == 0


def test_clause_that_nothing_understands_is_reported(
    tmp_path: Path, write_contract: Callable[..., Path]
) -> None:
    contract = write_contract("ret > x", "sun(ret) > 0")
    arguments = ("demo-kernel-v1", "-o", tmp_path, "--contracts", contract.parent)
    assert "demo-kernel-v1.yaml:7:10: " in scaffold(*arguments).stderr
    assert scaffold(*arguments, "--check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["softmax-kernal-v1"], "did you mean 'softmax-kernel-v1'"),
        (["softmax-kernel-v1", "--array", "Tensor"], "MODULE:NAME"),
        (["softmax-kernel-v1", "--check", "--force"], "drop one"),
    ],
)
def test_bad_call_says_what_to_do(arguments: list[str], says: str, tmp_path: Path) -> None:
    result = scaffold(*arguments, "-o", tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
    assert list(tmp_path.iterdir()) == []
