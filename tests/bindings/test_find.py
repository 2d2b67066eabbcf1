"""A package's binding file is found where a user would put it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tracepact.bindings import bindings_of, find_binding_file
from tracepact.bindings.find import _bindings


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEPACT_BINDING", raising=False)
    _bindings.cache_clear()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "src" / "demo"
    folder.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").write_text("")
    return folder


def test_package_comes_before_project(package: Path) -> None:
    assert find_binding_file(package) is None
    (package.parents[1] / "binding.yml").touch()
    assert find_binding_file(package) == package.parents[1] / "binding.yml"
    (package / "binding.yaml").touch()
    assert find_binding_file(package) == package / "binding.yaml"


def test_project_settings_name_the_file(package: Path) -> None:
    project = package.parents[1]
    (project / "pyproject.toml").write_text('[tool.tracepact]\nbinding = "docs/bound.yaml"\n')
    (project / "binding.yaml").touch()
    assert find_binding_file(package) == project / "docs/bound.yaml"
    assert find_binding_file(project) == project / "docs/bound.yaml"


@pytest.mark.parametrize(
    "text", ["not toml", "tool = 3", "[tool]\ntracepact = 3", "[tool.tracepact]"]
)
def test_settings_without_a_file_leave_the_default(package: Path, text: str) -> None:
    project = package.parents[1]
    (project / "pyproject.toml").write_text(text)
    (project / "binding.yaml").touch()
    assert find_binding_file(package) == project / "binding.yaml"


def test_folder_that_is_no_project_is_not_searched(package: Path) -> None:
    (package.parents[1] / "pyproject.toml").unlink()
    (package.parents[1] / "binding.yaml").touch()
    assert find_binding_file(package) is None


def test_environment_names_the_file(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "binding.yaml").touch()
    monkeypatch.setenv("TRACEPACT_BINDING", "elsewhere.yaml")
    assert find_binding_file(package) == Path("elsewhere.yaml")


def test_module_has_the_bindings_of_its_package(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "__init__.py").touch()
    (package / "kernels.py").touch()
    (package / "binding.yaml").write_text("target: demo_bound\nbindings: []\n")
    package.rename(package.with_name("demo_bound"))
    monkeypatch.syspath_prepend(package.parent)
    __import__("demo_bound.kernels")
    assert bindings_of("demo_bound.kernels").target == "demo_bound"
    assert bindings_of("demo_bound") is bindings_of("demo_bound.kernels")
    del sys.modules["demo_bound"], sys.modules["demo_bound.kernels"]


@pytest.mark.parametrize("name", ["__main__", "builtins", "no_such_module"])
def test_module_without_a_package_has_none(name: str) -> None:
    assert bindings_of(name).entries == ()
