"""Claims about text and token ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.pretokenize import PRE_TOKENIZERS
from tracepact.engines.reference.tokenizer import Tokenizer
from tracepact.errors import ConfigError, ModelFileError

WriteGguf = Callable[..., Path]

START, END = 262, 263
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
WORDS = ["▁", "a", "b", "c", "▁a", "ab", "▁ab", "bc", "abc", "▁abc", "ü"]
SENTENCE_PIECE = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.pre": None,
    "tokenizer.ggml.merges": None,
    "tokenizer.ggml.tokens": PIECES + WORDS,
    "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(WORDS),
    "tokenizer.ggml.scores": [0.0] * len(PIECES) + [-1.0 * rank for rank in range(len(WORDS))],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
}
PIECE_ROWS = {"token_embd.weight": np.zeros((len(PIECES + WORDS), 32), np.float32)}


@pytest.fixture
def tokenizer(write_gguf: WriteGguf) -> Tokenizer:
    return Tokenizer(GgufFile(write_gguf()))


@pytest.fixture
def make_tokenizer(write_gguf: WriteGguf) -> Callable[..., Tokenizer]:
    def make(**metadata: Any) -> Tokenizer:
        named = {f"tokenizer.ggml.{key}": value for key, value in metadata.items()}
        return Tokenizer(GgufFile(write_gguf(metadata=named)))

    return make


@pytest.fixture
def sentence_piece(write_gguf: WriteGguf) -> Callable[..., Tokenizer]:
    def make(**metadata: Any) -> Tokenizer:
        named = {f"tokenizer.ggml.{key}": value for key, value in metadata.items()}
        path = write_gguf(metadata=SENTENCE_PIECE | named, tensors=PIECE_ROWS)
        return Tokenizer(GgufFile(path))

    return make


def spell(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.vocabulary.tokens[token] for token in tokenizer.encode(text)]


def test_merges_join_what_they_can(tokenizer: Tokenizer) -> None:
    assert spell(tokenizer, "hello world") == ["hello", "Ġw", "o", "r", "l", "d"]


def test_special_tokens_are_found_in_the_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("<|im_start|>hello<|im_end|>")
    assert ids == [START, tokenizer.encode("hello")[0], END]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_decoding_undoes_encoding(text: str, tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.integers(0, 263)))
def test_a_stream_never_shows_half_a_character(ids: list[int], tokenizer: Tokenizer) -> None:
    """The pieces add up to the whole, and U+FFFD only stands where the bytes really are broken."""
    stream = tokenizer.stream()
    pieces = [stream.push(token) for token in ids]
    assert "".join(pieces) + stream.finish() == tokenizer.decode(ids)


def test_a_character_of_several_tokens_comes_out_when_it_is_whole(tokenizer: Tokenizer) -> None:
    stream = tokenizer.stream()
    assert [stream.push(token) for token in tokenizer.encode("é€🎉")] == [
        "", "é", "", "", "€", "", "", "", "🎉",
    ]  # fmt: skip
    assert stream.finish() == ""


def test_a_character_that_never_ends_is_shown_as_broken(tokenizer: Tokenizer) -> None:
    stream = tokenizer.stream()
    assert stream.push(tokenizer.encode("é")[0]) == ""
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"


def test_control_tokens_have_no_text_and_user_defined_ones_do(
    make_tokenizer: Callable[..., Tokenizer],
) -> None:
    assert make_tokenizer().decode([START, END]) == ""
    tokenizer = make_tokenizer(token_type=[1] * 262 + [4, 3])
    assert tokenizer.decode([START, END]) == "<|im_start|>"
    assert tokenizer.encode("a<|im_start|>")[1] == START


@pytest.mark.parametrize(
    ("add_bos", "text", "first"),
    [(True, "hi", START), (True, "<|im_start|>hi", START), (False, "hi", ord("h") - 33)],
)
def test_bos_comes_first_once_where_the_file_wants_it(
    add_bos: bool, text: str, first: int, make_tokenizer: Callable[..., Tokenizer]
) -> None:
    tokenizer = make_tokenizer(add_bos_token=add_bos)
    ids = tokenizer.encode(text)
    assert ids.count(START) == add_bos
    assert tokenizer.vocabulary.tokens[ids[0]] == ("<|im_start|>" if add_bos else "h")


def test_llama_bpe_adds_bos_unless_the_file_says_otherwise(
    make_tokenizer: Callable[..., Tokenizer],
) -> None:
    assert make_tokenizer(pre="llama-bpe").encode("a")[0] == START
    assert make_tokenizer(pre="llama-bpe", add_bos_token=False).encode("a")[0] != START


@pytest.mark.parametrize(
    ("pre", "text", "words"),
    [
        ("default", "a1234 $x", ["a", "123", "4", " ", "$", "x"]),
        ("gpt-2", "it's 12 ok", ["it", "'s", " 12", " ok"]),
        ("smollm", "x 12\n\n y", ["x", " ", "1", "2", "\n\n", " y"]),
        ("qwen2", "IT'S 123?\n", ["IT", "'S", " ", "1", "2", "3", "?\n"]),
        ("llama-bpe", "IT'S 1234?\n", ["IT", "'S", " ", "123", "4", "?\n"]),
    ],
)
def test_words_are_split_as_the_models_own_tokenizer_does(
    pre: str, text: str, words: list[str], make_tokenizer: Callable[..., Tokenizer]
) -> None:
    """Words are those of the models' tokenizer.json, and of llama.cpp for "default"."""
    tokenizer = make_tokenizer(pre=pre)
    split = tokenizer._engine.pre_tokenizer.pre_tokenize_str(text)
    assert [text[start:end] for _, (start, end) in split] == words


def test_every_rule_has_a_test_of_its_words() -> None:
    assert set(PRE_TOKENIZERS) == {"default", "gpt-2", "smollm", "qwen2", "llama-bpe"}


def test_llama_bpe_takes_a_whole_word_that_is_a_token(
    make_tokenizer: Callable[..., Tokenizer],
) -> None:
    """Without the merge h+e, "hello" can only be found as a whole."""
    merges = ["h e", "l l", "he l", "hel lo"][:2]
    for pre, expected in (("qwen2", ["he", "ll", "o"]), ("llama-bpe", ["hello"])):
        tokenizer = make_tokenizer(pre=pre, merges=merges, add_bos_token=False)
        assert spell(tokenizer, "hello") == expected


def test_a_missing_pre_is_the_default(make_tokenizer: Callable[..., Tokenizer]) -> None:
    assert make_tokenizer(pre=None).encode("a1234") == make_tokenizer(pre="default").encode("a1234")


def test_stop_ids_are_the_end_of_text_and_the_known_ends_of_turns(
    make_tokenizer: Callable[..., Tokenizer],
) -> None:
    assert make_tokenizer().vocabulary.stop_ids == {END}
    tokenizer = make_tokenizer(eos_token_id=7, eot_token_id=9)
    assert tokenizer.vocabulary.stop_ids == {7, 9, END}


def test_a_lone_surrogate_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match="not valid Unicode at character 2"):
        tokenizer.encode("ab\ud800")


def test_sentence_piece_merges_the_best_scored_pair_first(
    sentence_piece: Callable[..., Tokenizer],
) -> None:
    """In "▁abc", "▁a" (score −4) beats "ab" (−5) and "bc" (−7); then "▁ab", then "▁abc"."""
    assert spell(sentence_piece(), "abc") == ["<s>", "▁abc"]
    assert spell(sentence_piece(), "bca") == ["<s>", "▁", "bc", "a"]


@pytest.mark.parametrize(
    ("ab", "bc", "expected"), [(-1.0, -2.0, ["ab", "c"]), (-2.0, -1.0, ["a", "bc"])]
)
def test_sentence_piece_scores_decide(
    ab: float, bc: float, expected: list[str], sentence_piece: Callable[..., Tokenizer]
) -> None:
    tokenizer = sentence_piece(
        tokens=[*PIECES, "a", "b", "c", "ab", "bc"],
        token_type=[2, 3, 3] + [6] * 256 + [1] * 5,
        scores=[0.0] * len(PIECES) + [-9.0, -9.0, -9.0, ab, bc],
        add_space_prefix=False,
        add_bos_token=False,
    )
    assert spell(tokenizer, "abc") == expected


def test_sentence_piece_falls_back_to_bytes(sentence_piece: Callable[..., Tokenizer]) -> None:
    tokenizer = sentence_piece()
    assert spell(tokenizer, "ü€") == ["<s>", "▁", "ü", "<0xE2>", "<0x82>", "<0xAC>"]
    assert tokenizer.decode(tokenizer.encode("ü€ abc")) == " ü€ abc"


def test_sentence_piece_finds_special_tokens(sentence_piece: Callable[..., Tokenizer]) -> None:
    tokenizer = sentence_piece()
    assert spell(tokenizer, "<s>abc</s>") == ["<s>", "▁abc", "</s>"]


def test_sentence_piece_without_space_prefix(sentence_piece: Callable[..., Tokenizer]) -> None:
    tokenizer = sentence_piece(add_space_prefix=False, add_bos_token=False)
    assert spell(tokenizer, "ab abc") == ["ab", "▁abc"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"tokens": None}, "'tokenizer.ggml.tokens' is missing, so text cannot be encoded"),
        ({"tokens": 3}, "'tokenizer.ggml.tokens' is 3, not a list of texts"),
        ({"model": "bert"}, "tokenizer model 'bert' is not supported; use a model with"),
        ({"model": None}, "tokenizer model '' is not supported"),
        ({"model": 1}, "'tokenizer.ggml.model' is 1, not of type str"),
        ({"pre": "tekken"}, "pre-tokenizer 'tekken' is not supported; use a model with one of"),
        ({"merges": ["h e", "q"]}, "merge 'q' is not one of two tokens"),
        ({"merges": ["z z"]}, "merge 'z z' is not one of two tokens"),
        ({"token_type": [1]}, "token_type' is array.* not a list of 264 numbers, one a token"),
        ({"token_type": [1.0] * 264}, "token_type' is array"),
        ({"token_type": [6] * 264}, "byte token .* is not written as <0xHH>"),
        ({"bos_token_id": 264}, "'tokenizer.ggml.bos_token_id' is 264, not one of the 264"),
        ({"add_bos_token": 1}, "add_bos_token' is 1, not of type bool"),
        ({"model": "llama"}, "'tokenizer.ggml.scores' is missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_tokenizer_that_cannot_be_built_says_why(
    metadata: dict[str, Any], message: str, make_tokenizer: Callable[..., Tokenizer]
) -> None:
    with pytest.raises(ModelFileError, match=message):
        make_tokenizer(**metadata)


def test_a_very_long_piece_is_refused(sentence_piece: Callable[..., Tokenizer]) -> None:
    with pytest.raises(ModelFileError, match="is too long"):
        sentence_piece(tokens=[*PIECES, *WORDS[:-1], "x" * 1000])


def test_what_the_library_refuses_is_a_model_file_error(
    sentence_piece: Callable[..., Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Exception("some reason")  # what the library raises, nothing more special

    monkeypatch.setattr("tracepact.engines.reference.tokenizer.models.BPE", refuse)
    with pytest.raises(ModelFileError, match="cannot be built: some reason"):
        sentence_piece()
