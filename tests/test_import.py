"""`import tracepact` does nothing: rooms are imported when their names are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tracepact

SOURCE = Path(tracepact.__file__)


def run(code: str) -> str:
    """Output of a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_import_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys; before = set(sys.modules); import tracepact\n"
        "print({name.partition('.')[0] for name in set(sys.modules) - before}"
        " - sys.stdlib_module_names)"
    )
    assert run(code) == "{'tracepact'}"


def test_all_names_together_load_no_library_but_numpy() -> None:
    code = (
        "import sys; before = set(sys.modules); from tracepact import *\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(loaded - sys.stdlib_module_names))"
    )
    assert run(code) == "['numpy', 'tracepact']"


def test_import_opens_no_file_but_modules_and_patches_nothing() -> None:
    code = (
        "import sys, builtins, threading, warnings, logging, numpy\n"
        "opened = []\n"
        "def hook(event, details):\n"
        "    if event == 'open' and not str(details[0]).endswith(('.py', '.pyc', '.so')):\n"
        "        opened.append(details[0])\n"
        "sys.addaudithook(hook)\n"
        "watched = [sys, builtins, threading, warnings, logging, numpy]\n"
        "before = [dict(vars(module)) for module in watched]\n"
        "from tracepact import *\n"
        "changed = [\n"
        "    (module.__name__, name)\n"
        "    for module, old in zip(watched, before)\n"
        "    for name in old\n"
        "    if name != '__warningregistry__' and vars(module).get(name) is not old[name]\n"
        "]\n"
        "print(opened, changed, logging.root.handlers, threading.active_count())"
    )
    assert run(code) == "[] [] [] 1"


def test_cached_registry_needs_no_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRACEPACT_CACHE", raising=False)
    code = (
        "import sys, tracepact\n"
        "registry = tracepact.ContractRegistry.builtin()\n"
        "assert registry.contracts['softmax-kernel-v1'].equations\n"
        "print('yaml' in sys.modules)"
    )
    assert [run(code), run(code)] == ["True", "False"]


def test_every_name_is_found() -> None:
    for name in tracepact.__all__:
        assert getattr(tracepact, name) is not None
    assert set(tracepact.__all__) <= set(dir(tracepact))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tracepact' has no attribute 'gone'"):
        tracepact.gone  # type: ignore[attr-defined]  # noqa: B018


def test_names_for_the_type_checker_are_those_that_are_found() -> None:
    (block,) = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If)]
    stated = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name, room in tracepact._ROOMS.items():
        assert f"{stated.pop(name)}.{name}" == room
    assert stated == tracepact._HOME
    assert {*stated, *tracepact._ROOMS, "__version__"} == set(tracepact.__all__)
