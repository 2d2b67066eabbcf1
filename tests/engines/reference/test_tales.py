"""The shipped model, against the engine that it was checked with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tokenizer import Tokenizer

ROOT = Path(__file__).parents[3]
GOLD = json.loads((ROOT / "tests" / "gold" / "tales_greedy.json").read_text())
F16 = ROOT / "models" / "tracepact-tales-f16.gguf"
Q8_0 = ROOT / "models" / "tracepact-tales-q8_0.gguf"

pytestmark = pytest.mark.model


@pytest.mark.parametrize("gold", GOLD["prompts"], ids=lambda gold: gold["prompt"])
def test_greedy_tokens_are_those_of_the_other_engine(gold: dict[str, Any]) -> None:
    model = ReferenceModel.load(F16)
    prompt = Tokenizer(model.file).encode(gold["prompt"])
    assert prompt == gold["prompt_tokens"]
    assert list(generate(model, prompt, max_tokens=len(gold["tokens"]))) == gold["tokens"]


def test_both_files_together_are_small() -> None:
    assert F16.stat().st_size + Q8_0.stat().st_size <= 3_000_000
