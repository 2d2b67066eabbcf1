"""Small projects that are really built, with tracepact installed as far as backends can tell."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Build:
    """What became of a build: its output, and the files of the wheel when there is one."""

    output: str
    wheel: zipfile.ZipFile | None

    def read(self, name: str) -> str:
        assert self.wheel is not None, self.output
        return self.wheel.read(name).decode()


@dataclass(frozen=True)
class Project:
    """A project of one package, `demo`, in a temporary folder."""

    backend: str
    folder: Path
    environment: dict[str, str]

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def bind(self, *statuses: str, file: str = "src/demo/binding.yaml") -> None:
        lines = ["version: 1.0.0", "bindings:"]
        for number, status in enumerate(statuses):
            lines += [
                "  - contract: demo-kernel-v1",
                f"    equation: e{number}",
                "    module_path: demo.kernels",
                f"    function: f{number}",
                f"    status: {status}",
            ]
        self.write(file, "\n".join(lines) + "\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def want_constants(self) -> None:
        text = (self.folder / "pyproject.toml").read_text()
        table = '[tool.tracepact.build]\nconstants = "demo/_contracts.py"\n'
        self.write("pyproject.toml", f"{text}{table}")

    def leave_unguarded(self) -> None:
        text = (self.folder / "pyproject.toml").read_text()
        self.write("pyproject.toml", text.replace("[tool.tracepact]", ""))

    def build(self, *options: str) -> Build:
        """`python -m build` without isolation; no option is a wheel from a source distribution."""
        command = ("-m", "build", "--no-isolation", "--skip-dependency-check", *options)
        done = self.run(*command)
        wheels = list((self.folder / "dist").glob("*.whl"))
        assert bool(wheels) == (done.returncode == 0), done.stdout
        return Build(done.stdout, zipfile.ZipFile(wheels[0]) if wheels else None)


BACKENDS = {
    "setuptools": """\
[build-system]
requires = ["setuptools", "tracepact"]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
version = "1.0"

[tool.setuptools.packages.find]
where = ["src"]

[tool.tracepact]
""",
    "hatchling": """\
[build-system]
requires = ["hatchling", "tracepact"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1.0"

[tool.hatch.build]
dev-mode-dirs = ["src"]

[tool.hatch.build.targets.sdist]
only-include = ["src"]

[tool.hatch.build.targets.wheel]
packages = ["src/demo"]

[tool.hatch.build.hooks.tracepact]

[tool.tracepact]
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes the project for a backend, `setuptools` or `hatchling`."""
    site = tmp_path / "site"
    information = site / "tracepact-0.1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tracepact\nVersion: 0.1.0")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    (information / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in groups.items()
        )
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT / "src")))}
    environment.pop("TRACEPACT_BINDING", None)

    def make(backend: str) -> Project:
        pytest.importorskip("build")
        pytest.importorskip(backend)
        made = Project(backend, tmp_path / "project", environment)
        made.write("pyproject.toml", BACKENDS[backend])
        made.write("src/demo/__init__.py", "")
        return made

    return make


@pytest.fixture(params=sorted(BACKENDS))
def demo(request: pytest.FixtureRequest, project: Callable[[str], Project]) -> Project:
    """The project, for either backend in turn."""
    return project(request.param)
