"""The status of a binding is a name that other programs can read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracepact.bindings import (
    Binding,
    Bindings,
    Status,
    export_environment,
    render_module,
    variables,
)
from tracepact.types import SourceLocation


def bindings(*statuses: Status, path: str = "binding.yaml", equation: str = "demo") -> Bindings:
    return Bindings(
        path=Path(path),
        entries=tuple(
            Binding(
                contract="demo-kernel-v1",
                equation=equation,
                module_path="demo",
                function="f",
                status=status,
                location=SourceLocation(path, 1, 1),
            )
            for status in statuses
        ),
    )


def test_of_several_functions_the_one_furthest_from_done_counts() -> None:
    assert variables(bindings("pending", "implemented")) == {
        "CONTRACT_DEMO_KERNEL_V1_DEMO": "pending"
    }
    assert variables(bindings("implemented", "not_implemented", "partial")) == {
        "CONTRACT_DEMO_KERNEL_V1_DEMO": "not_implemented"
    }


def test_child_process_inherits_the_statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACT_DEMO_KERNEL_V1_DEMO", "before")
    export_environment(bindings("partial"))
    child = "import os; print(os.environ['CONTRACT_DEMO_KERNEL_V1_DEMO'])"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout == "partial\n"


def test_module_holds_the_same_statuses() -> None:
    namespace: dict[str, object] = {}
    exec(render_module(bindings("pending")), namespace)
    assert namespace["CONTRACT_DEMO_KERNEL_V1_DEMO"] == "pending"


@pytest.mark.parametrize("hostile", ['"""\nraise SystemExit\n"""', "a\nb", "é'\\"])
def test_hostile_names_stay_text(hostile: str) -> None:
    namespace: dict[str, object] = {}
    exec(render_module(bindings("pending", path=hostile, equation=hostile)), namespace)
    assert [v for k, v in namespace.items() if k.startswith("CONTRACT_")] == ["pending"]
