"""The command line: exit codes, formats, errors that say what to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app, main
from tracepact.errors import ConfigError

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "tracepact-tales-q8_0.gguf"


def tracepact(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.npy"
    np.save(path, np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.npy"
    np.save(path, np.array([[0.25, 0.75], [0.5, 0.43]], np.float32))
    return path


def test_check_names_the_offending_row_and_exits_1(broken: Path) -> None:
    result = tracepact("check", "softmax-kernel-v1", "softmax", "x=0", f"ret={broken}")
    assert result.exit_code == 1
    assert "row_sums(ret)[1] = 0.93" in result.stdout
    assert "softmax-kernel-v1.yaml" in result.stdout


def test_check_prints_json(broken: Path) -> None:
    result = tracepact(
        "check", "softmax-kernel-v1", "softmax", "x=0", f"ret={broken}", "--format", "json"
    )
    data = json.loads(result.stdout)
    assert data["violations"][0]["obligation"] == "Output sums to 1"
    assert data["checks"] == 5


def test_check_never_passes_what_it_could_not_check(rows: Path) -> None:
    result = tracepact("check", "softmax-kernel-v1", "softmax", f"ret={rows}")
    assert result.exit_code == 1
    assert "unchecked" in result.stdout
    assert "no field 'x'" in result.stdout


def test_check_passes(rows: Path) -> None:
    result = tracepact("check", "softmax-kernel-v1", "softmax", "x=0", f"ret={rows}")
    assert result.exit_code == 0
    assert result.stdout.count("holds") == 5


def test_doctor_shows_core_contracts_and_hardware() -> None:
    result = tracepact("doctor", "--format", "json")
    data = json.loads(result.stdout)
    assert result.exit_code == 0
    assert data["core"]["name"] == "native"
    assert data["core"]["instruction_set"] in ("avx512", "avx2", "plain", "neon")
    assert data["contracts"]["count"] >= 28
    assert data["hardware"]["memory_bandwidth_gbps"] > 0
    assert "core" in tracepact("doctor").stdout


def test_doctor_exits_1_when_a_contract_has_problems(tmp_path: Path) -> None:
    (tmp_path / "bad-v1.yaml").write_text("equations: {e: {formula: f, postconditions: ['1 +']}}\n")
    result = tracepact("doctor", "--contracts", tmp_path)
    assert result.exit_code == 1
    assert "bad-v1.yaml:1" in result.stdout


@pytest.mark.model
def test_run_prints_text_bricks_traces_and_verdict() -> None:
    result = tracepact("run", MODEL, "--max-tokens", 6)
    assert "RmsNorm" in result.stdout
    assert "MLT-05" in result.stdout
    assert " 0 numeric violations" in result.stdout


@pytest.mark.model
def test_run_exits_1_on_a_planted_fault_and_names_it_first() -> None:
    result = tracepact(
        "run", MODEL, "--max-tokens", 4, "--inject", "row-scale@3", "--format", "json"
    )
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert data["violations"][0]["layer"] == 3
    assert data["violations"][0]["trace"] == "MLT-02"
    assert data["tokens"] == 4
    assert data["checks"] > 0
    assert len(data["traces"]) == 5
    assert {"model", "text", "tokens_per_s", "bricks", "overhead_ratio"} <= data.keys()


@pytest.mark.model
def test_run_shows_the_first_violation_in_full_and_the_rest_in_short() -> None:
    result = tracepact("run", MODEL, "--max-tokens", 3, "--inject", "nan@1")
    assert "first violation  layer 1, DownProjection, MLT-01" in result.stdout
    assert re.search(r"and \d+ consequences in \d+ layers, \d passes", result.stdout)
    assert "planted" in result.stdout


@pytest.mark.model
def test_run_compares_with_a_reference() -> None:
    reference = ROOT / "models" / "tracepact-tales-f16.gguf"
    result = tracepact("run", MODEL, "--max-tokens", 2, "--reference", reference)
    assert "Tensors against the reference" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "missing.gguf"], "missing.gguf: cannot be opened"),
        (["run", str(MODEL), "--inject", "smoke"], "cannot plant 'smoke'"),
        (["run", str(MODEL), "--contracts", "nowhere"], "nowhere: does not exist"),
        (["run", str(MODEL), "--format", "yaml"], "Invalid value"),
        (["run"], "Missing"),
        (["check", "softmax-kernel-v1", "softmaks", "ret=1"], "did you mean 'softmax'"),
        (["check", "softmax-v1", "softmax", "ret=1"], "softmax-kernel-v1"),
        (["check", "softmax-kernel-v1", "softmax", "ret"], "NAME=FILE.npy"),
        (["check", "softmax-kernel-v1", "softmax", "ret=none.npy"], "cannot read none.npy"),
        (["nothing"], "No such command"),
    ],
)
def test_bad_call_exits_2_and_says_what_to_do(
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["tracepact", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert says in capfd.readouterr().err


@pytest.mark.model
def test_policy_raise_exits_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEPACT", "raise")
    arguments = ["tracepact", "run", str(MODEL), "--max-tokens", "2", "--inject", "nan@1"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "layer 1, DownProjection" in capfd.readouterr().err


def test_object_arrays_are_refused_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    result = tracepact("check", "softmax-kernel-v1", "softmax", f"ret={path}")
    assert "Python objects in dtype" in str(result.exception)


def test_import_loads_no_engine_and_no_cli_library() -> None:
    heavy = ("torch", "jax", "gguf", "tokenizers", "jinja2", "typer", "rich", "click", "psutil")
    code = f"import sys, tracepact; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_condition_that_cannot_be_understood_is_never_a_silent_pass(tmp_path: Path) -> None:
    (tmp_path / "typo-v1.yaml").write_text(
        "equations: {e: {formula: f, postconditions: ['sun(ret) <= 1']}}\n"
    )
    result = tracepact("check", "typo-v1", "e", "ret=7", "--contracts", tmp_path)
    assert result.exit_code != 0
    assert "typo-v1/e" in str(result.exception)


@pytest.mark.model
def test_run_that_checked_nothing_exits_1(tmp_path: Path) -> None:
    (tmp_path / "other-v1.yaml").write_text(
        "equations: {e: {formula: f, postconditions: ['ret > 0']}}\n"
    )
    result = tracepact("run", MODEL, "--max-tokens", 2, "--contracts", tmp_path)
    assert result.exit_code == 1
    assert "0 checks" in result.stdout


@pytest.mark.model
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--inject", "nan@Sampling"], "cannot hit Sampling"),
        (["--inject", "nan@2.LayerNorm"], "was never planted"),
        (["--jsonl", "/nonexistent/v.jsonl"], "--jsonl"),
        (["--reference", str(MODEL), "--traces", "lightweight"], "MLT-04"),
    ],
)
def test_run_refuses_what_it_cannot_do(options: list[str], says: str) -> None:
    result = tracepact("run", MODEL, "--max-tokens", 2, *options)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
