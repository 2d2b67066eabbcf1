"""A wheel cannot be built while a binding says `not_implemented`, whichever backend builds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_not_implemented_fails_and_names_the_binding(demo: Any) -> None:
    demo.bind("implemented", "not_implemented")
    done = demo.build("--wheel")
    assert done.wheel is None
    assert (
        "src/demo/binding.yaml:8:5: demo-kernel-v1.e1 (demo.kernels:f1) is not implemented; "
        "implement it, or set the status to `pending`"
    ) in done.output
    assert "Traceback" not in done.output.rpartition("contract bindings do not allow")[2]
    assert "e0" not in done.output


def test_pending_warns(demo: Any) -> None:
    demo.bind("pending", "partial", "implemented")
    done = demo.build("--wheel")
    assert done.wheel is not None
    assert (
        "warning: src/demo/binding.yaml:3:5: demo-kernel-v1.e0 (demo.kernels:f0) is pending"
    ) in done.output
    assert "demo-kernel-v1.e1 (demo.kernels:f1) is partial" in done.output
    assert done.output.count("warning: src/demo/binding.yaml") == 2


def test_no_binding_file_is_said_once_and_fails_nothing(demo: Any) -> None:
    done = demo.build("--wheel")
    assert done.wheel is not None
    assert done.output.count("contract bindings: source none") == 1


def test_file_that_cannot_be_understood_fails(demo: Any) -> None:
    demo.bind("implementd")
    done = demo.build("--wheel")
    assert done.wheel is None
    assert "src/demo/binding.yaml:7:13: bindings[0].status: unknown status" in done.output
    assert "did you mean 'implemented'?" in done.output


def test_constants_are_in_the_wheel_and_not_in_the_source(demo: Any) -> None:
    demo.bind("implemented", "pending")
    demo.want_constants()
    stale = "CONTRACT_DEMO_KERNEL_V1_E0 = 'stale'"
    demo.write("src/demo/_contracts.py", stale)
    values: dict[str, object] = {}
    exec(demo.build("--wheel").read("demo/_contracts.py"), values)
    assert values["CONTRACT_DEMO_KERNEL_V1_E0"] == "implemented"
    assert values["CONTRACT_DEMO_KERNEL_V1_E1"] == "pending"
    assert (demo.folder / "src/demo/_contracts.py").read_text() == stale


def test_wheel_made_from_a_source_distribution_is_checked_too(demo: Any) -> None:
    demo.bind("not_implemented", file="binding.yaml")
    done = demo.build()
    assert done.wheel is None
    assert list((demo.folder / "dist").glob("demo-1.0.tar.gz"))
    assert "demo-kernel-v1.e0 (demo.kernels:f0) is not implemented" in done.output


def test_statuses_are_in_the_environment_of_the_build(project: Callable[[str], Any]) -> None:
    demo = project("setuptools")
    demo.bind("pending")
    demo.write(
        "setup.py",
        "import os, setuptools, subprocess, sys\n"
        "from setuptools.command.build_py import build_py\n"
        "class Look(build_py):\n"
        "    def run(self):\n"
        "        code = 'import os; print(os.environ[\"CONTRACT_DEMO_KERNEL_V1_E0\"])'\n"
        "        subprocess.run([sys.executable, '-c', code], check=True)\n"
        "        super().run()\n"
        "setuptools.setup(cmdclass={'build_py': Look})\n",
    )
    done = demo.build("--wheel")
    assert done.wheel is not None
    assert "\npending\n" in done.output


def test_editable_install_warns_and_finds_the_constants(demo: Any) -> None:
    demo.bind("not_implemented")
    demo.want_constants()
    backend = {"setuptools": "setuptools.build_meta", "hatchling": "hatchling.build"}[demo.backend]
    done = demo.run("-c", f"import {backend} as backend; backend.build_editable('.')")
    assert done.returncode == 0, done.stdout
    assert "warning, fails a wheel: src/demo/binding.yaml:3:5: demo-kernel-v1.e0" in done.stdout
    assert "not_implemented" in (demo.folder / "src/demo/_contracts.py").read_text()


def test_project_without_the_table_is_left_alone(project: Callable[[str], Any]) -> None:
    demo = project("setuptools")
    demo.bind("not_implemented")
    demo.leave_unguarded()
    done = demo.build("--wheel")
    assert done.wheel is not None
    assert "contract bindings" not in done.output


def test_project_without_the_table_pays_no_import(project: Callable[[str], Any]) -> None:
    demo = project("setuptools")
    demo.leave_unguarded()
    code = (
        "import sys, setuptools; before = set(sys.modules)\n"
        "from tracepact.build_hook.setuptools import finalize\n"
        "finalize(setuptools.Distribution())\n"
        "loaded = {name for name in set(sys.modules) - before if 'tracepact' in name}\n"
        "print(sorted(loaded), 'numpy' in sys.modules, 'yaml' in sys.modules)\n"
    )
    assert demo.run("-c", code).stdout.strip() == (
        "['tracepact', 'tracepact.build_hook', 'tracepact.build_hook.settings', "
        "'tracepact.build_hook.setuptools', 'tracepact.config', 'tracepact.errors'] False False"
    )
