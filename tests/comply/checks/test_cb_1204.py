"""CB-1204: the build, CI or interface tests look at the contracts."""

from __future__ import annotations

from typing import Any

import pytest

PLAIN = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def test_hook_for_hatchling_passes(tree: Any) -> None:
    assert tree.check("CB-1204") == ("passed", "hook for hatchling, 0 interface tests passed")


def test_table_for_setuptools_passes(tree: Any) -> None:
    tree.write(
        "pyproject.toml",
        '[build-system]\nrequires = ["setuptools", "tracepact>=0.1"]\n'
        'build-backend = "setuptools.build_meta"\n[tool.tracepact]\n',
    )
    assert tree.check("CB-1204")[1].startswith("hook for setuptools")


def test_command_in_ci_passes(tree: Any) -> None:
    tree.write("pyproject.toml", PLAIN)
    tree.write(".github/workflows/ci.yml", "steps:\n  - run: python -m tracepact bind --verify\n")
    assert tree.check("CB-1204")[1].startswith("`tracepact bind` in .github/workflows/ci.yml")


def test_nothing_that_looks_fails(tree: Any) -> None:
    tree.write("pyproject.toml", PLAIN)
    status, said = tree.check("CB-1204")
    assert status == "failed"
    assert "1 contract has preconditions, and the build looks at none" in said


def test_ten_functions_with_passed_interface_tests_pass(tree: Any) -> None:
    tree.write("pyproject.toml", PLAIN)
    tree.ran(*({"kind": "interface", "function": f"demo:f{n}"} for n in range(10)))
    assert tree.check("CB-1204")[0] == "passed"


def test_contracts_without_preconditions_are_skipped(tree: Any) -> None:
    tree.edit("contracts/twice-v1.yaml", '    preconditions: ["all(isfinite(x))"]\n', "")
    assert tree.check("CB-1204")[0] == "skipped"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/ci.yml", "# tracepact bind --verify\nname: tracepact\n"),
        (".github/workflows/ci.yml", "- name: tracepact bind --verify\n  run: make\n"),
        ("Makefile", "test:\n\techo tracepact bind --verify\n"),
        ("Makefile", "test:\n\ttracepact bind --verify || true\n"),
        ("Makefile", "test:\n\ttracepact bind\n"),
        ("Makefile", "test:\n\ttracepact bind # --verify\n"),
        ("pyproject.toml", PLAIN + "[tool.hatch.build.hooks.tracepact]\n"),
        ("pyproject.toml", PLAIN.replace("]\nb", ', "tracepact-plugins"]\nb') + "[tool.tracepact]"),
        ("pyproject.toml", PLAIN.replace('"hatchling"]', '"hatchling", "tracepact"]')),
    ],
    ids=[
        "comment",
        "label",
        "echo",
        "ignored",
        "list",
        "cut",
        "hook without package",
        "other package",
        "package without hook",
    ],
)
def test_half_of_a_hook_or_a_mention_does_not_count(tree: Any, name: str, text: str) -> None:
    tree.write("pyproject.toml", PLAIN)
    tree.write(name, text)
    assert tree.check("CB-1204")[0] == "failed"


def test_one_function_tested_ten_times_counts_once(tree: Any) -> None:
    tree.write("pyproject.toml", PLAIN)
    tree.ran(*({"kind": "interface"} for _ in range(10)))
    assert tree.check("CB-1204")[0] == "failed"


def test_one_equation_with_preconditions_is_enough(tree: Any) -> None:
    tree.write("pyproject.toml", PLAIN)
    tree.edit("contracts/twice-v1.yaml", "equations:", "equations:\n  other: {formula: y}")
    assert tree.check("CB-1204")[0] == "failed"
