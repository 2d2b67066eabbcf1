"""When a contract changes, mypy and pyright report every implementation that no longer fits."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracepact
from tracepact.codegen.scaffold import derive_interface, scaffold_files
from tracepact.contracts import ContractRegistry

BEFORE = """\
equations:
  scale:
    formula: ret = x * factor
    domain: x [..., n]
    preconditions: ['factor > 0']
    postconditions: ['shape(ret) == shape(x)']
  free:
    formula: anything
"""
BY_HAND = """
from __future__ import annotations

from typing import Any

from {folder}.scale_v1_protocol import Array, ScaleV1


class Positional:
    def scale(self, x: Array, factor: float, *, note: str = "") -> Array:
        return x * factor

    def free(self, first: int, *rest: Any) -> str:
        return str(first)


def use(implementation: ScaleV1) -> None:
    implementation.free(1, 2)


use(Positional())
"""
FUNCTIONS = """
from __future__ import annotations

from {folder}.scale_v1_protocol import Array


def scale(*, x: Array, factor: float) -> Array:
    return x * factor


def free() -> None:
    return None
"""
FUNCTIONS_USED = """
from {folder} import functions
from {folder}.scale_v1_protocol import ScaleV1

_: ScaleV1 = functions
"""
SECOND_FIELD = "'factor > 0', 'offset > 0'"
CHANGES = {
    "unchanged": ("", ""),
    "another_text": ("formula: ret = x * factor", "formula: ret = factor * x"),
    "equation_added": ("equations:\n", "equations:\n  other: {formula: f}\n"),
    "equation_renamed": ("  scale:", "  rescale:"),
    "field_added": ("'factor > 0'", SECOND_FIELD),
    "field_renamed": ("factor > 0", "scaling > 0"),
    "result_became_a_number": ("'shape(ret) == shape(x)'", "'ret == sum(x)'"),
}
"""By the folder of its implementations: what is replaced in the contract, and by what."""

FITTING = ("unchanged", "another_text", "result_became_a_number")
FILES = ("scale_v1.py", "by_hand.py", "functions_used.py")


def derive(folder: Path, text: str) -> None:
    contract = folder / "scale-v1.yaml"
    contract.write_text(text)
    interface = derive_interface(ContractRegistry.load(contract), "scale-v1")
    for file in scaffold_files(interface, folder):
        file.write()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a change: written for the contract as it was, derived again from the new one."""
    root = tmp_path_factory.mktemp("project")
    for name, (old, new) in CHANGES.items():
        folder = root / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        derive(folder, BEFORE)
        for file, text in (
            ("by_hand.py", BY_HAND),
            ("functions.py", FUNCTIONS),
            ("functions_used.py", FUNCTIONS_USED),
        ):
            (folder / file).write_text(text.format(folder=name))
        derive(folder, BEFORE.replace(old, new) if old else BEFORE)
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(Path(tracepact.__file__).parents[1])],
    }
    (root / "pyrightconfig.json").write_text(json.dumps(settings))
    return root


def run(project: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(project: Path) -> Iterator[tuple[str, str]]:
    for line in run(project, "mypy", "--strict", "--cache-dir", os.devnull, ".").splitlines():
        place, _, message = line.partition(": ")
        yield place.split(":")[0], message


def pyright(project: Path) -> Iterator[tuple[str, str]]:
    report = json.loads(run(project, "basedpyright", "--outputjson"))
    for found in report["generalDiagnostics"]:
        if found["severity"] == "error":
            yield str(Path(found["file"]).relative_to(project.resolve())), found["message"]


CHECKERS = {"mypy": (mypy, "mypy"), "pyright": (pyright, "basedpyright")}


@pytest.fixture(scope="module", params=CHECKERS)
def reported(request: pytest.FixtureRequest, project: Path) -> dict[str, str]:
    """What a type checker says, by file."""
    checker, module = CHECKERS[request.param]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; it is in the extra 'dev'")
    found: dict[str, str] = {}
    for file, message in checker(project):
        found[file] = f"{found.get(file, '')}{message}\n"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("change", CHANGES)
def test_implementation_is_reported_where_it_no_longer_fits(
    change: str, file: str, reported: dict[str, str]
) -> None:
    assert (f"{change}/{file}" in reported) is (change not in FITTING)


@pytest.mark.slow
@pytest.mark.parametrize("change", FITTING)
def test_nothing_else_is_reported_in_strict_mode(change: str, reported: dict[str, str]) -> None:
    assert [file for file in reported if file.startswith(f"{change}/")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [("field_renamed", "scaling"), ("field_added", "offset"), ("equation_added", "other")],
)
def test_report_names_what_changed(change: str, says: str, reported: dict[str, str]) -> None:
    assert says in reported[f"{change}/scale_v1.py"]
