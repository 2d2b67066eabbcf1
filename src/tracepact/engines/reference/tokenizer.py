"""Text to token ids and back, from the metadata of a GGUF file."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show
from tracepact.engines.reference.pretokenize import PRE_TOKENIZERS
from tracepact.engines.reference.vocabulary import BYTE, CONTROL, USER_DEFINED, Vocabulary
from tracepact.errors import ConfigError, MissingExtraError

try:
    from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as _Engine
except ImportError as error:
    raise MissingExtraError("encoding text for a model", "engine") from error

_SPACE: Final = "▁"
_MAX_PIECE: Final = 128
"""Characters of a SentencePiece token; trying all its splits takes time quadratic in them."""


class Tokenizer:
    """Encodes and decodes text as one model does.

    Special tokens such as `<|im_start|>` are recognised wherever they stand in a text.

    Attributes:
        vocabulary: tokens, their kinds and the special ids.
        add_bos: whether `encode` begins with the BOS token.

    Raises:
        ModelFileError: the file has no tokenizer, one of an unsupported kind, or a damaged one.
    """

    def __init__(self, file: GgufFile) -> None:
        self.vocabulary = vocabulary = Vocabulary.from_file(file)
        builder = {"gpt2": _byte_level_bpe, "llama": _sentence_piece}.get(vocabulary.model)
        if builder is None:
            file.fail(
                f"tokenizer model {show(vocabulary.model)} is not supported",
                "use a model with a 'gpt2' or 'llama' tokenizer",
            )
        ids: dict[str, int] = {}
        for index, token in enumerate(vocabulary.tokens):
            ids.setdefault(token, index)
        try:
            self._engine, default_add_bos = builder(file, vocabulary, ids)
            self._engine.add_tokens(_added_tokens(vocabulary))
        except Exception as error:
            # The library raises bare exceptions; ours pass through.
            if type(error) is not Exception:
                raise
            file.fail(f"the tokenizer cannot be built: {error}", "convert the model again")
        self.add_bos = default_add_bos if vocabulary.add_bos is None else vocabulary.add_bos
        self._byte_level = vocabulary.model == "gpt2"

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; with the BOS token first if the model wants it and it is not there.

        Raises:
            ConfigError: the text holds half a surrogate pair.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"the text is not valid Unicode at character {error.start}; remove the lone "
                f"surrogate"
            ) from None
        ids: list[int] = self._engine.encode(text, add_special_tokens=False).ids
        bos_id = self.vocabulary.bos_id
        if self.add_bos and bos_id is not None and ids[:1] != [bos_id]:
            ids.insert(0, bos_id)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; control tokens have none, broken UTF-8 becomes U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def stream(self) -> TextStream:
        """A decoder for ids that arrive one by one."""
        return TextStream(self)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; none for a control token."""
        text, kind = self.vocabulary.tokens[token], self.vocabulary.types[token]
        if kind == CONTROL:
            return b""
        if kind == USER_DEFINED:
            return text.encode()
        if self._byte_level:
            return b"".join(_BYTE_OF.get(char) or char.encode() for char in text)
        if kind == BYTE:
            return bytes([int(text[3:5], 16)])
        return text.replace(_SPACE, " ").encode()


class TextStream:
    """Text of tokens that arrive one by one; never half a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes; may be empty."""
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """What is left: U+FFFD for a character that never ended."""
        return self._decoder.decode(b"", final=True)


def _byte_level_bpe(
    file: GgufFile, vocabulary: Vocabulary, ids: dict[str, int]
) -> tuple[_Engine, bool]:
    rule = PRE_TOKENIZERS.get(vocabulary.pre)
    if rule is None:
        file.fail(
            f"pre-tokenizer {show(vocabulary.pre)} is not supported",
            f"use a model with one of: {', '.join(PRE_TOKENIZERS)}",
        )
    merges = []
    for merge in vocabulary.merges:
        space = merge.find(" ", 1)
        left, right = merge[:space], merge[space + 1 :]
        if space < 0 or not ids.keys() >= {left, right, left + right}:
            file.fail(f"merge {show(merge)} is not one of two tokens", "convert the model again")
        merges.append((left, right))
    engine = _Engine(models.BPE(ids, merges, ignore_merges=rule.whole_words))
    splits = [
        pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in rule.patterns
    ]
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([*splits, to_bytes])
    return engine, rule.add_bos


def _sentence_piece(
    file: GgufFile, vocabulary: Vocabulary, ids: dict[str, int]
) -> tuple[_Engine, bool]:
    """SentencePiece's BPE: of all neighbours that form a token, merge the best scored first."""
    if vocabulary.scores is None:
        file.fail("metadata 'tokenizer.ggml.scores' is missing", "convert the model again")
    merges = []
    for token, index in ids.items():
        if vocabulary.types[index] in (CONTROL, USER_DEFINED, BYTE):
            continue
        if len(token) > _MAX_PIECE:
            file.fail(f"token {show(token)} is too long", "convert the model again")
        for split in range(1, len(token)):
            left, right = token[:split], token[split:]
            if left in ids and right in ids:
                merges.append((-vocabulary.scores[index], ids[left], ids[right], left, right))
    merges.sort()
    unknown = vocabulary.unknown_id
    engine = _Engine(
        models.BPE(
            ids,
            [(left, right) for *_, left, right in merges],
            unk_token=None if unknown is None else vocabulary.tokens[unknown],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = [normalizers.Prepend(_SPACE)] if vocabulary.add_space_prefix else []
    engine.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", _SPACE)])
    return engine, True


def _added_tokens(vocabulary: Vocabulary) -> list[AddedToken]:
    """Tokens that are matched in the text before it is split."""
    return [
        AddedToken(token, special=kind == CONTROL, normalized=False)
        for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True)
        if kind in (CONTROL, USER_DEFINED) and token
    ]


def _gpt2_byte_alphabet() -> dict[str, bytes]:
    """GPT-2's spelling of bytes as printable characters, inverted.

    Printable Latin-1 bytes stand for themselves; the others for U+0100 and on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    spelling = {chr(byte): bytes([byte]) for byte in printable}
    return spelling | {chr(0x100 + index): bytes([byte]) for index, byte in enumerate(others)}


_BYTE_OF: Final = _gpt2_byte_alphabet()
