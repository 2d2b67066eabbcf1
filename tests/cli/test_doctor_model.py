"""Claims about `tracepact doctor --model`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tracepact.cli.app import app

pytest.importorskip("torch", reason="needs tracepact[torch]")
transformers = pytest.importorskip("transformers", reason="needs tracepact[torch]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration, and no weights."""
    config = transformers.Gemma2Config(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=8,
        architectures=["Gemma2ForCausalLM"],
    )  # fmt: skip
    config.save_pretrained(tmp_path)
    return tmp_path


def doctor(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_map_is_shown_without_weights(folder: Path) -> None:
    result = doctor("--model", str(folder))
    assert result.exit_code == 0, result.output
    assert "gemma2: 4 layers, 4 heads (2 of keys), head size 8, window 8" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["0-3", "mlp.gate_proj", "GateProjection"] in [line[:3] for line in lines]


def test_map_as_json_has_every_module_and_what_checks_it(folder: Path) -> None:
    found = json.loads(doctor("--model", str(folder), "--format", "json").output)
    assert found["windows"] == [8, None, 8, None]
    by_name = {each["module"]: each for each in found["modules"]}
    assert by_name["model.layers.2.self_attn.o_proj"]["brick"] == "OutputProjection"
    assert by_name["model.norm"]["contract"] == "rmsnorm-kernel-v1/rmsnorm"
    assert by_name["model.layers.0.mlp.act_fn"]["contract"] is None  # its fields are not seen


def test_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    result = doctor("--model", str(tmp_path / "nowhere"))
    assert result.exit_code != 0
