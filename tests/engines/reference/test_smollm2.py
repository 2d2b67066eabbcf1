"""A real model of 135 million parameters, against engines that others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracepact.engines.reference.chat import ChatTemplate
from tracepact.engines.reference.generate import generate
from tracepact.engines.reference.model import ReferenceModel
from tracepact.engines.reference.tokenizer import Tokenizer
from tracepact.types import BrickId

pytestmark = pytest.mark.model

GOLD = json.loads((Path(__file__).parents[2] / "gold" / "smollm2_greedy.json").read_text())

# Ids by the tokenizer of llama.cpp (ik-llama-cpp-python 0.1.5) from the same file.
LLAMA_CPP_IDS = {
    "<|im_start|>user\nhi there<|im_end|>\n": [1, 4093, 198, 6004, 665, 2, 198],
    "it's we'll I'M  DON'T": [269, 506, 392, 3060, 339, 23, 61, 216, 422, 2154, 23, 68],
    "  leading": [216, 2899],
    "trailing   ": [4861, 4966, 333],
    "a\n\n\nb  c": [81, 1116, 198, 82, 216, 265],
    "x=1234567890;": [104, 45, 33, 34, 35, 36, 37, 38, 39, 40, 41, 32, 43],
    "٣٤٥ ½ Ⅷ": [164, 113, 164, 114, 164, 115, 216, 16738, 216, 173, 223, 117],
    "|'\u00a0🎉Y6 ]🎉": [7619, 15442, 10813, 232, 227, 73, 38, 6329, 10813, 232, 227],
}


@pytest.fixture(scope="module")
def model(smollm2_path: Path) -> ReferenceModel:
    return ReferenceModel.load(smollm2_path)


@pytest.fixture(scope="module")
def tokenizer(model: ReferenceModel) -> Tokenizer:
    return Tokenizer(model.file)


@pytest.mark.parametrize("gold", GOLD["prompts"], ids=lambda gold: gold["prompt"])
def test_greedy_tokens_are_those_of_transformers(
    gold: dict[str, Any], model: ReferenceModel, tokenizer: Tokenizer
) -> None:
    """64 tokens of a chat, where transformers runs the same weights in float32."""
    text = ChatTemplate(model.file, tokenizer.vocabulary).prompt(gold["prompt"])
    prompt = tokenizer.encode(text)
    assert prompt == gold["prompt_tokens"]
    assert list(generate(model, prompt, max_tokens=len(gold["tokens"]))) == gold["tokens"]


@pytest.mark.parametrize("text", LLAMA_CPP_IDS)
def test_ids_are_those_of_llama_cpp(text: str, tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(text) == LLAMA_CPP_IDS[text]


def test_the_head_is_tied_and_the_memory_is_four_bytes_a_parameter(model: ReferenceModel) -> None:
    assert model.weights.output is model.weights.embedding
    assert model.weights.nbytes == 4 * 134_515_008


def test_rows_from_the_file_are_those_in_memory(model: ReferenceModel) -> None:
    rows = np.array([0, 575, 576, 768, 959])
    linear = model.weight_of(BrickId.QkvProjection, 17)
    assert {source.type.name for source in linear.sources} == {"Q4_1"}
    got = model.dequantise_rows(BrickId.QkvProjection, 17, rows)
    assert np.array_equal(got, linear.weight[rows])
