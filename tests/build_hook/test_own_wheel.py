"""Our own wheel is guarded by our own hook, before any tracepact is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracepact.bindings import binding_files, load_bindings

ROOT = Path(__file__).parents[2]


def test_guard_finds_our_bindings_and_nothing_is_wrong_with_them() -> None:
    assert binding_files(ROOT) == [ROOT / "src/tracepact/binding.yaml"]
    bindings = load_bindings(ROOT / "src/tracepact/binding.yaml")
    assert bindings.entries
    assert bindings.problems == ()


@pytest.mark.parametrize("status", ["implemented", "not_implemented"])
def test_setup_brings_the_hook_itself(status: str, tmp_path: Path) -> None:
    binding = tmp_path / "binding.yaml"
    binding.write_text(
        "bindings:\n  - {contract: demo-kernel-v1, equation: demo, module_path: demo,"
        f" function: f, status: {status}}}\n"
    )
    code = (
        "import sys, runpy, importlib.metadata as metadata\n"
        "found = metadata.entry_points\n"
        "metadata.entry_points = lambda **kw: [p for p in found(**kw) if p.name != 'tracepact']\n"
        "from setuptools.command.build import build\n"
        "build.sub_commands = []\n"  # only what the guard adds; the rest has tests of its own
        f"sys.argv = ['setup.py', 'build', '--build-base', {str(tmp_path / 'build')!r}]\n"
        "runpy.run_path('setup.py', run_name='__main__')"
    )
    environment = {**os.environ, "TRACEPACT_BINDING": str(binding)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (status == "implemented"), done.stderr
    assert f"1 {status}" in done.stderr
    assert ("demo-kernel-v1.demo (demo:f) is not implemented" in done.stderr) == (
        status == "not_implemented"
    )
