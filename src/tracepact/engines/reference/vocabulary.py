"""The tokens of a GGUF file, as its metadata state them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Never, TypeVar

import numpy as np

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show

_PREFIX: Final = "tokenizer.ggml."
_CONVERT_AGAIN: Final = "convert the model again"
_NO_TEXT: Final = "convert the model together with its tokenizer"
_BYTE_SPELLING: Final = re.compile("<0x[0-9A-Fa-f]{2}>")
_NORMAL: Final = 1
CONTROL: Final = 3
USER_DEFINED: Final = 4
BYTE: Final = 6

# Tokens that end an answer although many files name only one of them as their end; llama.cpp
# finds them by their text too.
_END_TEXTS: Final = frozenset(
    {
        "</s>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|end_of_text|>",
        "<|end|>",
        "<end_of_turn>",
    }
)

_Value = TypeVar("_Value", str, bool, int)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens and what the file says about their use.

    Attributes:
        model: the algorithm: "gpt2" (byte-level BPE) or "llama" (SentencePiece).
        pre: name of the rule that splits text into words before BPE.
        tokens: text by id, in the algorithm's own spelling.
        types: kind by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
        scores: by id, of a SentencePiece model; None where the file has none.
        merges: of a BPE model, "left right", most important first.
        bos_id: begins a text, or None.
        eos_id: ends a text, or None.
        unknown_id: stands for what no token can spell, or None.
        add_bos: whether encoding puts `bos_id` first; None where the file does not say.
        add_space_prefix: whether a SentencePiece text starts with a space.
        stop_ids: every id that ends an answer.
    """

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    scores: list[float] | None
    merges: list[str]
    bos_id: int | None
    eos_id: int | None
    unknown_id: int | None
    add_bos: bool | None
    add_space_prefix: bool
    stop_ids: frozenset[int]

    @classmethod
    def from_file(cls, file: GgufFile) -> Vocabulary:
        """Read the tokenizer's metadata.

        Raises:
            ModelFileError: something is missing, of the wrong type or contradicts the rest.
        """
        read = _Reader(file)
        tokens = read.texts("tokens")
        if not tokens:
            file.fail(f"metadata '{_PREFIX}tokens' is missing, so text cannot be encoded", _NO_TEXT)
        types = read.numbers("token_type", len(tokens), "iu") or [_NORMAL] * len(tokens)
        for token, kind in zip(tokens, types, strict=True):
            if kind == BYTE and not _BYTE_SPELLING.fullmatch(token):
                file.fail(f"byte token {show(token)} is not written as <0xHH>", _CONVERT_AGAIN)
        ends = [read.token_id(f"{name}_token_id", tokens) for name in ("eos", "eot", "eom")]
        named = {index for index, token in enumerate(tokens) if token in _END_TEXTS}
        return cls(
            model=read.value("model", str) or "",
            pre=read.value("pre", str) or "default",
            tokens=tokens,
            types=types,
            scores=read.numbers("scores", len(tokens), "f"),
            merges=read.texts("merges"),
            bos_id=read.token_id("bos_token_id", tokens),
            eos_id=ends[0],
            unknown_id=read.token_id("unknown_token_id", tokens),
            add_bos=read.value("add_bos_token", bool),
            add_space_prefix=read.value("add_space_prefix", bool) is not False,
            stop_ids=frozenset(named.union(end for end in ends if end is not None)),
        )


class _Reader:
    """Typed look-ups of the tokenizer's keys; None or an empty list where there is nothing."""

    def __init__(self, file: GgufFile) -> None:
        self._file = file

    def value(self, key: str, kind: type[_Value]) -> _Value | None:
        value = self._file.metadata.get(_PREFIX + key)
        if value is not None and type(value) is not kind:  # a bool is an int to isinstance
            self._refuse(key, value, f"of type {kind.__name__}")
        return value

    def token_id(self, key: str, tokens: list[str]) -> int | None:
        value = self.value(key, int)
        if value is not None and not 0 <= value < len(tokens):
            self._refuse(key, value, f"one of the {len(tokens)} token ids")
        return value

    def texts(self, key: str) -> list[str]:
        value = self._file.metadata.get(_PREFIX + key, [])
        if not isinstance(value, list):
            self._refuse(key, value, "a list of texts")
        return value

    def numbers(self, key: str, length: int, kinds: str) -> list[Any] | None:
        """A list of numbers whose dtype is of one of `kinds`, as in `numpy.dtype.kind`."""
        value = self._file.metadata.get(_PREFIX + key)
        if value is None:
            return None
        if (
            not isinstance(value, np.ndarray)
            or len(value) != length
            or value.dtype.kind not in kinds
        ):
            self._refuse(key, value, f"a list of {length} numbers, one a token")
        return list(value.tolist())

    def _refuse(self, key: str, value: object, wanted: str) -> Never:
        self._file.fail(f"metadata '{_PREFIX}{key}' is {show(value)}, not {wanted}", _CONVERT_AGAIN)
