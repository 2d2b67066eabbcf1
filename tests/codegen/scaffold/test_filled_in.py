"""What is generated fails until it is filled in, then passes, and is checked ever after."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracepact.codegen.scaffold import derive_interface, scaffold_files
from tracepact.contracts import ContractRegistry

CONTRACT = """\
equations:
  shift:
    formula: ret = x + class
    domain: x [n]
    preconditions: ['class > 0']
    postconditions: ['ret == old(x) + class']
  count:
    formula: count = len(x)
    preconditions: ['len(x) >= 1']
    postconditions: ['count == len(x)']
falsification_tests:
  - {id: F-001, prediction: A lost element is reported., if_fails: Look at the last tile.}
"""
BODIES = {"shift": "x += class_\n        return x", "count": "return len(x)"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shift-v1.yaml").write_text(CONTRACT)
    interface = derive_interface(ContractRegistry.load(tmp_path), "shift-v1")
    for file in scaffold_files(interface, tmp_path, contracts=tmp_path):
        file.write()
    return tmp_path


def run(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    environment = {**os.environ, "TRACEPACT_CONTRACTS": str(folder), "COLUMNS": "300"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def fill_in_tests(folder: Path) -> None:
    path = folder / "test_shift_v1.py"
    text = path.read_text().replace('choose("x", domain)', "np.arange(4.0)")
    text = text.replace('choose("class", domain)', "2.0").replace(
        "import os\n", "import os\nimport numpy as np\n"
    )
    path.write_text(
        text.replace('pytest.fail(f"write', 'assert 1 + 1 == 2, hint\n    print(f"write')
    )


def fill_in_skeleton(folder: Path) -> None:
    path = folder / "shift_v1.py"
    text = path.read_text()
    for name, body in BODIES.items():
        text = re.sub(rf'raise NotImplementedError\(\s*"shift-v1/{name}.*"\s*\)', body, text)
    assert "NotImplementedError" not in text
    path.write_text(text)


def test_every_test_fails_at_first_and_says_what_to_do(folder: Path) -> None:
    code, said = run(folder)
    assert code == 1
    assert "3 failed" in said
    assert "choose a value for class; domain: x [n]" in said
    assert "F-001: Look at the last tile." in said


def test_skeleton_raises_with_the_formula(folder: Path) -> None:
    fill_in_tests(folder)
    code, said = run(folder)
    assert code == 1
    assert "NotImplementedError: shift-v1/shift: ret = x + class" in said


def test_what_is_filled_in_passes_and_a_wrong_result_fails(folder: Path) -> None:
    fill_in_tests(folder)
    fill_in_skeleton(folder)
    assert run(folder)[0] == 0
    path = folder / "shift_v1.py"
    path.write_text(path.read_text().replace("return len(x)", "return len(x) - 1"))
    code, said = run(folder)
    assert code == 1
    assert "shift-v1/count" in said
    assert "1 failed, 2 passed" in said


def test_shipped_contracts_become_modules_that_import_and_decorate() -> None:
    registry = ContractRegistry.builtin()
    for stem in registry.contracts:
        interface = derive_interface(registry, stem)
        protocol, skeleton, tests = (f.text for f in scaffold_files(interface, Path("x")))
        names: dict[str, object] = {"__name__": interface.protocol_module}
        exec(compile(protocol, "protocol", "exec"), names)
        code = re.sub(r"from \w+_protocol import (\([^)]*\)|.*)", "", skeleton)
        exec(compile(code, "skeleton", "exec"), names)
        implementation = names[interface.implementation]
        for method in interface.methods:
            enforced = getattr(implementation, method.name).__tracepact__
            assert [(e.contract, e.equation) for e in enforced] == [(stem, method.equation.name)]
        compile(tests, "tests", "exec")
