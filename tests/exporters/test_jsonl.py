"""Violations as JSON lines that survive the process."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, NoReturn

import pytest

from tracepact.exporters import JsonlExporter
from tracepact.violation import CallSite, Violation

Build = Callable[..., Violation]


def strict_lines(path: Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> NoReturn:
        raise AssertionError(f"{name} is not JSON")

    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_each_violation_is_one_object_a_line(violation: Build, tmp_path: Path) -> None:
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    for layer in range(3):
        exporter.export(violation(layer=layer))
    exporter.close()
    lines = strict_lines(tmp_path / "found.jsonl")
    assert lines == [violation(layer=layer).to_dict() for layer in range(3)]


def test_nan_and_infinity_are_strict_json(violation: Build, tmp_path: Path) -> None:
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    exporter.export(violation(measured={"a": math.nan, "b": math.inf, "c": -math.inf}))
    assert strict_lines(tmp_path / "found.jsonl")[0]["measured"] == {
        "a": "nan",
        "b": "inf",
        "c": "-inf",
    }
    exporter.close()


def test_line_is_there_before_the_file_is_closed(violation: Build, tmp_path: Path) -> None:
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    exporter.export(violation())
    assert len(strict_lines(tmp_path / "found.jsonl")) == 1
    exporter.close()


def test_newlines_and_other_alphabets_stay_on_one_line(violation: Build, tmp_path: Path) -> None:
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    exporter.export(violation(obligation="Σ = 1\nfür alle \u2028 rows"))
    exporter.close()
    (line,) = (tmp_path / "found.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert json.loads(line)["obligation"] == "Σ = 1\nfür alle \u2028 rows"
    assert "Σ" in line


def test_file_name_that_is_not_utf_8_is_kept(violation: Build, tmp_path: Path) -> None:
    name = b"caf\xe9.py".decode("utf-8", "surrogateescape")
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    exporter.export(violation(location=CallSite(name, 7)))
    exporter.close()
    assert strict_lines(tmp_path / "found.jsonl")[0]["location"]["file"] == name


def test_file_is_appended_to(violation: Build, tmp_path: Path) -> None:
    for layer in range(2):
        exporter = JsonlExporter(str(tmp_path / "found.jsonl"))
        exporter.export(violation(layer=layer))
        exporter.close()
    assert [line["layer"] for line in strict_lines(tmp_path / "found.jsonl")] == [0, 1]


def test_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        JsonlExporter(tmp_path / "missing" / "found.jsonl")


def test_threads_do_not_mix_their_lines(violation: Build, tmp_path: Path) -> None:
    exporter = JsonlExporter(tmp_path / "found.jsonl")
    barrier = threading.Barrier(4)

    def work(layer: int) -> None:
        barrier.wait(timeout=10)
        for step in range(50):
            exporter.export(violation(layer=layer, step=step, obligation="x" * 9000))

    threads = [threading.Thread(target=work, args=(layer,)) for layer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    exporter.close()
    lines = strict_lines(tmp_path / "found.jsonl")
    for layer in range(4):
        assert [line["step"] for line in lines if line["layer"] == layer] == list(range(50))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the platform has no SIGKILL")
def test_killed_process_leaves_every_line_that_it_wrote(
    tmp_path: Path, write_contract: Callable[..., Path]
) -> None:
    script = dedent(
        """
        import os, signal, sys
        from tracepact.contracts import ContractRegistry
        from tracepact.exporters import JsonlExporter
        from tracepact.tracing import ContractTracingLayer, Policy

        layer = ContractTracingLayer(
            ContractRegistry.load(sys.argv[1]), [JsonlExporter(sys.argv[2])], Policy(keep_first=9)
        )
        site = layer.site("demo-kernel-v1", "demo")
        for ret in range(-5, 0):
            site.check(ret=ret)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    file = tmp_path / "found.jsonl"
    arguments = [sys.executable, "-c", script, str(write_contract("ret > 0")), str(file)]
    process = subprocess.run(arguments, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [line["measured"]["ret"] for line in strict_lines(file)] == [-5, -4, -3, -2, -1]
