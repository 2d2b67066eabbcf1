"""The pytest plugin: tests of bound functions, made from their contracts.

On by itself in projects that have a binding file. Where there is none, nothing else of tracepact is
imported, and neither are NumPy and Hypothesis.

PYTEST_DONT_REWRITE: there is no assertion in here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

_ENABLED: Final = pytest.StashKey[list[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, and ini settings of the same names."""
    group = parser.getgroup("tracepact", "contract tests")
    group.addoption(
        "--tracepact",
        action="store_true",
        default=None,
        dest="tracepact",
        help="Test bound functions against their contracts, whatever paths are given.",
    )
    group.addoption(
        "--no-tracepact",
        action="store_false",
        dest="tracepact",
        help="Do not collect contract tests.",
    )
    group.addoption(
        "--tracepact-max-examples",
        type=int,
        default=None,
        metavar="N",
        help="Inputs for each obligation.",
    )
    group.addoption(
        "--tracepact-derandomize",
        action="store_true",
        help="The same inputs in every run, for CI.",
    )
    group.addoption(
        "--tracepact-bounded",
        action="store_true",
        help="Run the bounded harnesses of the contracts too.",
    )
    group.addoption(
        "--tracepact-evidence",
        metavar="FILE",
        help="Where the results go; .tracepact/evidence.json by default.",
    )
    parser.addini("tracepact_evidence", "Where the results go.", default="")
    parser.addini("tracepact_max_examples", "Inputs for each obligation.", default="50")
    parser.addini("tracepact_derandomize", "The same inputs in every run.", "bool", default=False)
    parser.addini("tracepact_contracts", "Folder of the project's contracts.", default="")
    parser.addini(
        "tracepact_dtypes",
        "Floating dtypes of generated arrays.",
        "args",
        default=["float32", "float64"],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find the project's binding files, and have them collected with everything else."""
    files = [] if config.getoption("tracepact") is False else _binding_files(config.rootpath)
    config.stash[_ENABLED] = files
    is_asked = config.getoption("tracepact") is True
    if is_asked and not files:
        raise pytest.UsageError(
            f"--tracepact: {config.rootpath} has no binding.yaml; write one with "
            "'tracepact bind --propose'"
        )
    if files:
        from tracepact.testing.recorder import RECORDER, Recorder  # noqa: PLC0415 - as above

        config.stash[RECORDER] = recorder = Recorder(config, files)
        config.pluginmanager.register(recorder, "tracepact-recorder")
    if is_asked or config.args_source is not pytest.Config.ArgsSource.ARGS:
        given = {argument.partition("::")[0] for argument in config.args}
        config.args += [str(file) for file in files if str(file) not in given]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A binding file of the project."""
    if file_path not in parent.config.stash[_ENABLED]:
        return None
    from tracepact.testing.items import BindingFile  # noqa: PLC0415 - projects with bindings

    return BindingFile.from_parent(parent, path=file_path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Falsification tests come last: their results are those of tests that ran before."""
    if config.stash[_ENABLED]:
        from tracepact.testing.items import FalsificationItem  # noqa: PLC0415 - as above

        items.sort(key=lambda item: isinstance(item, FalsificationItem))


def _binding_files(project: Path) -> list[Path]:
    if not _may_have_bindings(project):
        return []
    from tracepact.bindings import binding_files  # noqa: PLC0415 - projects with bindings

    return [path.resolve() for path in binding_files(project) if path.is_file()]


def _may_have_bindings(project: Path) -> bool:
    """Whether `binding_files` can find any; asked in every project, so it imports nothing."""
    if os.environ.get("TRACEPACT_BINDING"):
        return True
    try:
        if b"[tool.tracepact]" in (project / "pyproject.toml").read_bytes():
            return True
    except OSError:
        pass
    places = (project, project / "src")
    folders = [project, *(path for place in places for path in _folders(place))]
    names = ("binding.yaml", "binding.yml")
    return any(os.path.exists(folder / name) for folder in folders for name in names)


def _folders(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError:
        return []
