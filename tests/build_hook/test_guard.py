"""What the guard does is the same whichever backend calls it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracepact.bindings import binding_files
from tracepact.build_hook.guard import guard
from tracepact.errors import ConfigError


def entry(status: str, equation: str = "demo") -> str:
    return (
        f"  - {{contract: demo-kernel-v1, equation: {equation}, module_path: demo,"
        f" function: f, status: {status}}}\n"
    )


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TRACEPACT_BINDING", raising=False)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("src/one", "two", "no_package"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "binding.yaml").write_text("bindings:\n" + entry("implemented"))
    (tmp_path / "two" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text("[tool.tracepact]")
    return tmp_path


def test_files_are_those_of_the_project_and_of_its_packages(project: Path) -> None:
    assert binding_files(project) == [
        project / "src/one/binding.yaml",
        project / "two/binding.yaml",
    ]
    (project / "binding.yaml").touch()
    assert binding_files(project)[0] == project / "binding.yaml"


def test_variable_names_the_only_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_BINDING", "elsewhere.yaml")
    assert binding_files(project) == [Path("elsewhere.yaml")]


def test_every_file_is_judged_and_every_failure_listed(project: Path) -> None:
    for name in ("src/one", "two"):
        (project / name / "binding.yaml").write_text("bindings:\n" + entry("not_implemented"))
    with pytest.raises(ConfigError) as caught:
        guard(project, editable=False, say=lambda _: None)
    lines = str(caught.value).splitlines()
    assert [line.count("is not implemented") for line in lines] == [0, 1, 1]


def test_constants_and_environment_have_the_bindings_of_all_files(project: Path) -> None:
    (project / "two/binding.yaml").write_text("bindings:\n" + entry("pending", "other"))
    (project / "pyproject.toml").write_text('[tool.tracepact.build]\nconstants = "one/_c.py"')
    said: list[str] = []
    constants = guard(project, editable=False, say=said.append)
    assert constants is not None
    assert 'CONTRACT_DEMO_KERNEL_V1_DEMO: Final = "implemented"' in constants.text
    assert os.environ["CONTRACT_DEMO_KERNEL_V1_OTHER"] == "pending"
    assert [line.count("is pending") for line in said] == [0, 1]


def test_file_that_is_named_but_missing_is_said_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tracepact]\nbinding = "bindings.yaml"')
    said: list[str] = []
    assert guard(tmp_path, editable=False, say=said.append) is None
    assert said == [
        f"{tmp_path / 'bindings.yaml'}: no such file; TRACEPACT_BINDING or "
        "[tool.tracepact] binding names it",
        "contract bindings: source none",
    ]


def test_editable_install_warns_of_what_fails_a_wheel(project: Path) -> None:
    (project / "two/binding.yaml").write_text("bindings:\n" + entry("not_implemented"))
    said: list[str] = []
    guard(project, editable=True, say=said.append)
    assert [line for line in said if line.startswith("warning, fails a wheel: ")]


@pytest.mark.parametrize(("layout", "target"), [("src/one", "src/one"), ("one", "one")])
def test_constants_of_an_editable_install_lie_beside_the_source(
    tmp_path: Path, layout: str, target: str
) -> None:
    (tmp_path / layout).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.tracepact.build]\nconstants = "one/_c.py"')
    constants = guard(tmp_path, editable=True, say=lambda _: None)
    assert constants is not None
    assert constants.write_in_source(tmp_path) == tmp_path / target / "_c.py"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("binding = 3", "binding = 3 is no path"),
        ("evidence = 3", "evidence = 3 is no path"),
        ('bindings = "two/binding.yaml"', "no setting 'bindings'; known: binding, evidence, build"),
    ],
)
def test_misspelt_setting_does_not_leave_a_build_unguarded(
    project: Path, setting: str, message: str
) -> None:
    (project / "pyproject.toml").write_text(f"[tool.tracepact]\n{setting}\n[tool.tracepact.lint]")
    with pytest.raises(ConfigError, match=message):
        guard(project, editable=False, say=lambda _: None)
