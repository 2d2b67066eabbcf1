"""A small code base that keeps its contract; tests break one thing in it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tracepact.comply.run import comply
from tracepact.comply.settings import read_settings
from tracepact.evidence import DEFAULT_FILE, Result, write_evidence

PYPROJECT = """
[build-system]
requires = ["hatchling", "tracepact"]
build-backend = "hatchling.build"

[tool.hatch.build.hooks.tracepact]
"""

CONTRACT = """
metadata: {version: 1.0.0, references: [somebody 2020], description: Twice its input}
equations:
  twice:
    formula: y = 2 x
    domain: x in R^n
    invariants: [len(y) == len(x)]
    tolerance: 1.0e-6
    preconditions: ["all(isfinite(x))"]
    postconditions: ["all(isfinite(ret))"]
kernel_structure: {phases: [{name: multiply}]}
proof_obligations:
  - {type: invariant, property: stays finite, formal: isfinite(2 x)}
falsification_tests:
  - id: F-1
    rule: stays finite
    prediction: finite in, finite out
    test: tests/test_kernels.py::test_finite
    if_fails: it overflows
kani_harnesses:
  - {id: K-1, obligation: stays finite, bound: 8, strategy: exhaustive}
"""

KERNELS = """
from tracepact import contract

@contract("twice-v1", "twice")
def twice(x):
    return 2 * x
"""

BINDING = """
version: "1"
target: demo
bindings:
  - {contract: twice-v1, equation: twice, module_path: demo.kernels, function: twice,
     status: implemented}
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "contracts/twice-v1.yaml": CONTRACT,
    "src/demo/__init__.py": "",
    "src/demo/kernels.py": KERNELS,
    "binding.yaml": BINDING,
    "tests/test_kernels.py": "def test_finite():\n    assert twice(1) == 2\n",
}


class Tree:
    """The code base in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what is there."""
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            (self.folder / name).unlink()

    def set(self, **values: Any) -> None:
        """Settings of comply, with `_` for `-`; values as TOML writes them."""
        lines = [f"{key.replace('_', '-')} = {value}" for key, value in values.items()]
        self.write("pyproject.toml", "\n".join([PYPROJECT, "[tool.tracepact.comply]", *lines]))

    def ran(self, *results: dict[str, Any]) -> None:
        """Write evidence; what a result leaves out is that of a test of `twice`."""
        common: dict[str, Any] = {
            "outcome": "passed",
            "contract": "twice-v1",
            "equation": "twice",
            "obligation": "stays finite",
            "function": "demo.kernels:twice",
            "files": ("src/demo/kernels.py",),
        }
        made = (Result(test=f"t{i}", **{**common, **one}) for i, one in enumerate(results))
        write_evidence(self.folder / DEFAULT_FILE, self.folder, made)

    def git(self, *arguments: str, date: str = "2026-01-01T00:00:00Z") -> None:
        """Run git there, with a date of its commits."""
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            env={"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "PATH": "/usr/bin:/bin"},
        )

    def check(self, id_: str) -> tuple[str, str]:
        """Status of a check, and everything that it says."""
        report = comply(self.folder, replace(read_settings(self.folder), select=(id_,)))
        (result,) = (each for each in report.gates if f"CB-{each.order}" == id_)
        assert {finding.rule.id for finding in report.findings} <= {id_}
        said = [result.reason, *(f"{each.message}; {each.hint}" for each in report.findings)]
        return result.status, "\n".join(said)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A code base that nothing is wrong with, as far as reading can tell."""
    return Tree(tmp_path / "project")
